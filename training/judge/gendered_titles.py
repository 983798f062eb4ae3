"""Pairs of job titles that differ in gender only, and pairs of synonyms to compare them with."""


def _pairs(table: str) -> tuple[tuple[str, str], ...]:
    rows = (row.split(" | ") for row in table.strip().splitlines())
    return tuple((one, other) for one, other in rows)


# The second title is the form used for women, or the one that states a gender.
GENDERED = _pairs("""
steward | stewardess
waiter | waitress
actor | actress
host | hostess
barman | barmaid
salesman | saleswoman
businessman | businesswoman
chairman | chairwoman
policeman | policewoman
fireman | firewoman
craftsman | craftswoman
cameraman | camerawoman
foreman | forewoman
spokesman | spokeswoman
handyman | handywoman
repairman | repairwoman
deliveryman | deliverywoman
tailor | tailoress
sculptor | sculptress
masseur | masseuse
seamster | seamstress
usher | usherette
headmaster | headmistress
postmaster | postmistress
landlord | landlady
shepherd | shepherdess
launderer | laundress
male nurse | female nurse
male carer | female carer
male engineer | female engineer
male developer | female developer
male teacher | female teacher
male driver | female driver
nurse | male nurse
midwife | male midwife
secretary | male secretary
surgeon | lady surgeon
doctor | lady doctor
cleaning man | cleaning lady
""")

# Synonyms without a gender. They show how much other words alone change the vectors.
NEUTRAL = _pairs("""
truck driver | lorry driver
lawyer | attorney
janitor | caretaker
software developer | software programmer
physician | medical doctor
shop assistant | sales clerk
garbage collector | refuse collector
real estate agent | estate agent
bricklayer | brick mason
car mechanic | automobile mechanic
flight attendant | cabin crew member
firefighter | fire fighter
police officer | police constable
bookkeeper | accounts clerk
hairdresser | hair stylist
electrician | electrical fitter
""")
