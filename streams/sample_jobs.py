"""Jobs that the sample is made of, from general knowledge, in the words of either side."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    vacancy_titles: tuple[str, ...]
    candidate_titles: tuple[str, ...]
    skills: tuple[str, ...]
    tasks: tuple[str, ...]  # each completes "experience in ..."
    pay: int  # USD a year, mid-career, in the United States
    at_desk: bool  # may be done remotely


def _jobs(table: str, *, at_desk: bool) -> list[Job]:
    """Paragraphs of five lines: vacancy titles, candidate titles, skills, tasks, pay."""
    jobs = []
    for paragraph in table.strip().split("\n\n"):
        vacancy, candidate, skills, tasks, pay = (
            tuple(part.strip() for part in line.split("|")) for line in paragraph.splitlines()
        )
        jobs.append(Job(vacancy, candidate, skills, tasks, int(pay[0]), at_desk))
    return jobs


_ON_SITE = """
Registered Nurse - ICU | Intensive Care Nurse (RN) | RN, Critical Care Unit
critical care nurse | ICU staff nurse | intensive care RN
ventilator management | patient monitoring | ACLS | IV therapy | charting | infection control
caring for ventilated patients | titrating vasoactive drips | handing over with physicians at the bedside
82000

Certified Nursing Assistant | Caregiver, Nursing Home | Healthcare Assistant
nurse aide | care assistant for the elderly | nursing home carer
personal care | patient lifting | vital signs | dementia care | hygiene | record keeping
helping residents wash and dress | taking vital signs | keeping residents with dementia company
36000

Paramedic - Ambulance Service | Emergency Medical Technician | EMT, Night Shift
ambulance paramedic | EMT | emergency responder
trauma care | airway management | ECG reading | emergency driving | triage | CPR
treating trauma patients on scene | driving an ambulance | stabilising cardiac patients
52000

Family Physician | General Practitioner (GP), Health Centre | Primary Care Doctor
GP | family doctor | primary care physician
diagnosis | preventive care | prescribing | chronic disease management | minor surgery | consultations
diagnosing common illnesses | managing diabetes and hypertension | advising families
210000

Physiotherapist - Outpatient Clinic | Physiotherapist, Hospital | Rehabilitation Therapist
physical therapist | physio | sports rehabilitation specialist
manual therapy | exercise prescription | gait analysis | rehabilitation | taping | patient education
planning exercise programmes | treating knee and back injuries | measuring recovery
78000

Dental Hygienist | Dental Assistant, Private Practice | Oral Health Therapist
dental assistant | oral hygienist | dental nurse
scaling | dental x-rays | chairside assistance | sterilisation | patient education | fluoride treatment
cleaning teeth and removing plaque | taking dental x-rays | assisting the dentist at the chair
62000

Community Pharmacist | Pharmacist in Charge | Clinical Pharmacist
dispensing pharmacist | chemist in a community pharmacy | hospital pharmacist
dispensing | drug interactions | patient counselling | stock control | compounding | prescription review
checking prescriptions | advising patients about their medicines | watching for drug interactions
118000

Medical Laboratory Technician | Biomedical Scientist, Haematology | Lab Technologist
clinical lab tech | medical technologist | laboratory analyst
haematology | blood analysis | microscopy | quality control | sample handling | LIMS
analysing blood samples | running haematology analysers | validating test results
56000

Radiographer - CT and MRI | Radiologic Technologist | Diagnostic Imaging Technician
x-ray technician | MRI technologist | imaging radiographer
CT scanning | MRI | x-ray imaging | radiation protection | patient positioning | PACS
positioning patients for scans | operating CT and MRI scanners | keeping radiation doses low
68000

Primary School Teacher | Elementary Teacher, Grade 3 | Class Teacher (Years 1-4)
elementary school teacher | grade school teacher | primary teacher
lesson planning | classroom management | literacy teaching | numeracy teaching | assessment | parent meetings
teaching reading and arithmetic | planning lessons for young children | talking with parents
58000

Kindergarten Teacher | Early Childhood Educator | Nursery Practitioner
preschool teacher | childcare worker | nursery school educator
early childhood education | play-based learning | first aid | child observation | storytelling | safeguarding
guiding toddlers through play | observing how children develop | preparing children for school
39000

Secondary School Teacher - Mathematics | High School Maths Teacher | Teacher of Mathematics and Physics
math teacher | mathematics educator, high school | maths and physics teacher
algebra | calculus | exam preparation | classroom management | curriculum design | assessment
teaching algebra and calculus | preparing classes for final exams | marking papers
64000

Electrician - Commercial Buildings | Electrical Installer | Journeyman Electrician
licensed electrician | electrical fitter | building electrician
wiring | circuit testing | blueprint reading | conduit installation | safety regulations | fault finding
wiring commercial buildings | testing circuits and fuse boxes | reading electrical drawings
61000

Plumber and Heating Engineer | Pipefitter | Plumbing Technician, Service
plumber | heating installer | gas and water fitter
pipe fitting | soldering | heating systems | leak detection | boiler maintenance | bathroom installation
installing pipes and boilers | finding leaks | servicing heating systems
60000

Carpenter - Timber Construction | Joiner | Finish Carpenter
woodworker | cabinet maker and joiner | framing carpenter
woodworking | framing | cabinet making | blueprint reading | power tools | roof construction
framing timber houses | fitting doors and stairs | building cabinets
54000

Welder (MIG/TIG) | Structural Welder | Fabrication Welder
TIG welder | metal fabricator | certified pipe welder
MIG welding | TIG welding | blueprint reading | metal cutting | grinding | weld inspection
welding steel structures | preparing and grinding joints | inspecting weld seams
49000

CNC Machinist | CNC Milling Operator | Machine Operator, Turning and Milling
CNC operator | milling machine setter | precision machinist
CNC programming | milling | turning | G-code | measuring tools | tool setting
setting up milling machines | writing G-code | measuring parts to a hundredth of a millimetre
51000

Automotive Technician | Car Mechanic, Dealership | Vehicle Service Technician
auto mechanic | motor vehicle mechanic | car repair technician
engine diagnostics | brake repair | electrical diagnostics | oil service | hybrid vehicles | air conditioning
diagnosing engine faults | replacing brakes and clutches | servicing hybrid and electric cars
50000

Maintenance Technician - Production Plant | Industrial Mechanic | Mechatronics Technician
plant maintenance mechanic | industrial maintenance fitter | mechatronic technician
hydraulics | pneumatics | PLC | preventive maintenance | fault finding | mechanical repair
keeping packaging lines running | repairing hydraulics and pneumatics | finding faults in PLC controls
57000

Warehouse Operative | Order Picker, Night Shift | Forklift Driver
warehouse worker | picker and packer | forklift operator
order picking | forklift licence | packing | stock taking | barcode scanning | loading
picking and packing orders | driving a forklift | loading trucks
37000

Truck Driver (HGV Class 1) | Long-Haul Driver, CDL A | Delivery Driver C+E
lorry driver | heavy truck operator | CDL driver
long-distance driving | load securing | tachograph | route planning | vehicle checks | ADR
driving articulated lorries across borders | securing loads | planning routes
52000

City Bus Driver | Public Transport Driver | Coach Driver
bus operator | coach and bus driver | transit driver
passenger transport | defensive driving | ticketing | route knowledge | vehicle checks | customer service
driving city bus lines | helping passengers | keeping to timetables
47000

Line Cook | Chef de Partie | Commis Chef, Hotel Restaurant
restaurant cook | station chef | kitchen chef
food preparation | HACCP | sauces | grilling | menu planning | kitchen hygiene
cooking at a busy station | preparing sauces and garnishes | keeping the kitchen to HACCP rules
39000

Baker - Night Shift | Pastry Chef | Artisan Baker
bread baker | patissier | bakery craftsman
dough preparation | sourdough | pastry | oven operation | recipe scaling | food hygiene
baking sourdough bread | laminating dough | decorating cakes
36000

Waiter/Waitress | Server, Fine Dining | Restaurant Service Staff
restaurant server | waiting staff | food and beverage attendant
table service | wine knowledge | cash handling | guest relations | menu advice | POS systems
serving guests at table | recommending wines | settling bills
31000

Hotel Front Desk Agent | Receptionist, 4-Star Hotel | Guest Service Agent
hotel receptionist | front office clerk | guest relations agent
check-in | Opera PMS | reservations | complaint handling | upselling | phone etiquette
checking guests in and out | handling reservations | solving complaints
35000

Housekeeping Attendant | Room Attendant | Cleaner, Office Buildings
hotel cleaner | room cleaner | janitor
room cleaning | laundry | cleaning chemicals | floor care | time management | linen change
cleaning guest rooms | caring for floors | replacing linen and supplies
30000

Retail Sales Associate | Shop Assistant, Fashion | Store Associate
shop clerk | sales assistant in fashion retail | retail salesperson
customer advice | cash register | merchandising | stock replenishment | upselling | visual display
advising customers | working the till | dressing shelves and windows
33000

Store Manager | Retail Branch Manager | Supermarket Manager
shop manager | retail store supervisor | grocery branch manager
staff scheduling | inventory control | sales targets | merchandising | cash management | team leadership
leading a shop team | planning shifts | keeping stock and shrinkage under control
62000

Hair Stylist | Hairdresser, City Salon | Barber
hairdresser | salon stylist | colourist and barber
cutting | colouring | blow-drying | beard trimming | client consultation | hair extensions
cutting and colouring hair | advising clients on styles | trimming beards
34000

Security Officer | Site Security Guard | Night Watch, Industrial Park
security guard | watchman | property protection officer
patrolling | access control | CCTV monitoring | incident reports | first aid | conflict management
patrolling sites at night | checking visitors | watching CCTV
38000

Firefighter | Fire Officer, Airport | Rescue Service Firefighter
fireman | airport rescue firefighter | fire and rescue specialist
fire suppression | rescue techniques | breathing apparatus | first aid | hazardous materials | hose handling
fighting building fires | rescuing people from vehicles | handling hazardous spills
58000

Gardener and Landscaper | Landscape Worker | Groundskeeper
landscape gardener | garden maintenance worker | greenkeeper
planting | pruning | lawn care | paving | irrigation | chainsaw licence
planting and pruning | laying paths | caring for lawns
38000

Farm Manager - Dairy | Livestock Farm Supervisor | Agricultural Manager
dairy farmer | herd manager | agricultural supervisor
herd health | milking systems | crop planning | tractor driving | feed planning | record keeping
running a dairy herd | planning feed and crops | leading farm hands
56000

Veterinary Nurse | Veterinary Technician, Small Animals | Animal Health Technician
vet nurse | vet tech | animal clinic assistant
anaesthesia | client advice | animal handling | x-ray imaging | blood sampling | surgical assistance
assisting in animal surgery | monitoring anaesthesia | calming owners and their pets
41000

Solar Installer | Photovoltaic Fitter | PV Installation Technician
PV installer | rooftop solar technician | solar panel fitter
roof work | DC wiring | inverter setup | mounting systems | working at height | grid connection
mounting panels on roofs | wiring inverters | commissioning solar plants
50000

Wind Turbine Technician | Wind Farm Service Technician | Turbine Maintenance Engineer
wind energy technician | turbine service mechanic | windtech
rope access | hydraulics | electrical troubleshooting | gearbox inspection | SCADA | working at height
servicing turbines at height | inspecting gearboxes | troubleshooting converters
60000

Construction Site Manager | Site Supervisor, Civil Works | Building Foreman
construction manager | site foreman | works supervisor
scheduling | subcontractor management | concrete works | site safety | cost control | quality inspection
running building sites | coordinating subcontractors | keeping to schedule and budget
88000

Social Worker - Child Protection | Family Support Worker | Case Worker, Youth Services
child welfare case manager | youth social worker | family counsellor
case management | crisis intervention | counselling | safeguarding | report writing | home visits
visiting families at home | assessing risk to children | writing court reports
55000

Aircraft Maintenance Technician | Licensed Aircraft Engineer (B1) | Avionics Technician
aviation mechanic | aircraft mechanic | B1 licensed engineer
airframe inspection | turbine engines | avionics | EASA Part 66 | torque procedures | technical logs
inspecting airframes and engines | replacing avionics units | signing off line maintenance
72000
"""

_AT_DESK = """
Backend Engineer (Python) | Software Engineer, Platform | Server-Side Developer
Python developer | backend programmer | API developer
Python | PostgreSQL | REST APIs | Docker | Kafka | unit testing
building REST services in Python | tuning SQL queries | running services in containers
125000

Frontend Developer - React | UI Engineer | Web Developer (TypeScript)
React developer | front end engineer | JavaScript web developer
TypeScript | React | CSS | accessibility | Webpack | web performance
building accessible interfaces in React | turning designs into components | speeding up web pages
112000

DevOps Engineer | Site Reliability Engineer (SRE) | Cloud Infrastructure Engineer
SRE | platform engineer | cloud operations engineer
Kubernetes | Terraform | AWS | CI/CD | Prometheus | Linux
running Kubernetes clusters | automating deployments | being on call for production
132000

Data Scientist | Machine Learning Engineer | Applied Scientist, Ranking
ML engineer | machine learning specialist | statistical modeller
Python | PyTorch | statistics | SQL | feature engineering | experiment design
training and evaluating models | designing experiments | shipping rankings to production
138000

Data Analyst | Business Intelligence Analyst | Reporting Analyst
BI developer | reporting specialist | insights analyst
SQL | Power BI | Excel | dashboards | data cleaning | statistics
building dashboards | answering business questions with SQL | cleaning messy data
82000

QA Engineer - Test Automation | Software Tester | Quality Assurance Analyst
test automation engineer | software test analyst | QA tester
Selenium | test plans | Cypress | API testing | bug reporting | regression testing
automating regression tests | writing test plans | hunting down bugs
88000

IT Support Specialist | Service Desk Analyst | Desktop Support Technician
help desk technician | IT support agent | user support engineer
Windows | Active Directory | ticketing systems | Office 365 | hardware repair | networking
solving users' computer problems | setting up laptops and accounts | answering tickets
54000

Information Security Analyst | Cyber Security Engineer | SOC Analyst
cybersecurity specialist | SOC engineer | infosec analyst
SIEM | incident response | vulnerability scanning | firewalls | ISO 27001 | threat hunting
investigating security alerts | closing vulnerabilities | answering incidents
108000

Product Manager - B2B SaaS | Product Owner, Payments | Digital Product Lead
product owner | digital product manager | SaaS product lead
roadmapping | user research | backlog management | stakeholder management | A/B testing | analytics
planning a product roadmap | interviewing users | writing user stories
128000

UX Designer | Product Designer | User Experience Researcher and Designer
user experience designer | interaction designer | UI/UX designer
Figma | prototyping | user research | usability testing | design systems | wireframes
prototyping in Figma | testing designs with users | maintaining a design system
102000

Accountant - General Ledger | Staff Accountant | Financial Accountant
bookkeeper and accountant | general ledger accountant | chartered accountant
general ledger | reconciliation | VAT | month-end closing | SAP | IFRS
closing the books each month | reconciling accounts | preparing tax returns
72000

Payroll Specialist | Payroll Administrator | Compensation and Payroll Officer
payroll clerk | wages administrator | payroll accountant
payroll processing | social security | time sheets | tax withholding | Excel | data protection
running monthly payroll | registering employees for social security | answering pay questions
58000

Financial Controller | Controlling Manager | FP&A Analyst
controller | financial planning analyst | management accountant
budgeting | forecasting | variance analysis | Excel | SAP | management reporting
building budgets and forecasts | explaining variances | reporting to management
98000

HR Business Partner | Human Resources Manager | People Partner
personnel manager | human resources generalist | people operations manager
labour law | employee relations | performance reviews | workforce planning | coaching | HR systems
advising managers on labour law | running performance reviews | planning headcount
91000

Recruiter - Tech Hiring | Talent Acquisition Specialist | Sourcing Specialist
talent sourcer | recruitment consultant | headhunter
sourcing | interviewing | applicant tracking systems | employer branding | negotiation | Boolean search
finding candidates | interviewing applicants | negotiating offers
69000

Account Executive - Enterprise Software | Sales Manager, B2B | Key Account Manager
B2B sales representative | enterprise software salesman | account manager
negotiation | CRM | prospecting | contract closing | presentations | pipeline management
winning enterprise customers | presenting software to executives | closing contracts
104000

Customer Service Representative | Call Centre Agent | Customer Support Specialist
call center agent | client service advisor | customer care agent
phone etiquette | complaint handling | CRM | data entry | live chat | problem solving
answering customers by phone and chat | settling complaints | recording cases
38000

Digital Marketing Manager | Performance Marketing Specialist | SEO/SEA Manager
online marketing specialist | SEO expert | growth marketer
SEO | Google Ads | web analytics | content planning | e-mail marketing | A/B testing
running search campaigns | improving organic rankings | measuring conversions
84000

Content Writer | Copywriter | Technical Writer, Documentation
copy editor and writer | technical author | web content author
copywriting | editing | SEO | research | style guides | Markdown
writing product documentation | editing articles | explaining difficult things simply
66000

Translator (German-English) | Localization Specialist | Translation Project Manager
freelance translator | localisation expert | language services specialist
translation | proofreading | CAT tools | terminology | subtitling | project coordination
translating contracts and manuals | proofreading translations | keeping terminology consistent
56000

Graphic Designer | Visual Designer, Brand | Motion Designer
graphic artist | brand designer | illustrator and layout artist
Adobe Illustrator | Photoshop | InDesign | typography | branding | motion graphics
designing brands and logos | laying out magazines | animating short clips
61000

Legal Counsel - Commercial Contracts | Corporate Lawyer | In-House Counsel
commercial lawyer | attorney at law, corporate | contract lawyer
contract drafting | negotiation | GDPR | corporate law | legal research | risk assessment
drafting and negotiating contracts | advising on data protection | assessing legal risk
140000

Paralegal | Legal Assistant | Notary Clerk
legal secretary | law firm assistant | litigation paralegal
legal research | document drafting | case files | deadlines | e-filing | client correspondence
preparing case files | drafting pleadings | watching court deadlines
56000

Procurement Manager | Strategic Buyer | Purchasing Specialist
purchaser | sourcing manager, direct materials | procurement officer
supplier negotiation | tendering | SAP | cost analysis | contract management | supplier audits
negotiating with suppliers | running tenders | auditing suppliers
86000

Supply Chain Planner | Logistics Coordinator | Demand Planner
logistics planner | supply chain analyst | freight coordinator
demand planning | SAP | inventory optimisation | freight booking | Excel | customs
planning demand and stock | booking freight | clearing customs
70000

Mechanical Design Engineer | CAD Engineer | Development Engineer, Mechanics
mechanical engineer | CAD designer | machine design engineer
SolidWorks | FEA | tolerance analysis | technical drawing | materials | prototyping
designing machine parts in CAD | calculating strength by FEA | preparing drawings for production
94000

Civil Engineer - Bridges | Structural Engineer | Planning Engineer, Infrastructure
structural design engineer | bridge engineer | civil engineering consultant
structural analysis | AutoCAD | Eurocode | concrete design | BIM | site supervision
calculating bridges | drawing reinforcement plans | checking work on site
92000

Embedded Software Engineer | Firmware Developer (C/C++) | Control Systems Engineer
firmware engineer | embedded C developer | microcontroller programmer
C | C++ | RTOS | microcontrollers | CAN bus | oscilloscope
writing firmware in C | bringing up new boards | debugging with an oscilloscope
118000

Project Manager - Construction and Energy | Programme Manager | PMO Lead
project leader | project coordinator, energy sector | programme lead
project planning | risk management | budget control | stakeholder management | MS Project | reporting
planning projects and budgets | leading project teams | reporting risks to the steering group
103000

Executive Assistant | Office Manager | Administrative Assistant
personal assistant to the CEO | secretary | office administrator
calendar management | travel booking | minutes | Office 365 | event organisation | correspondence
keeping executives' calendars | booking travel | taking minutes
56000

Insurance Claims Adjuster | Claims Handler, Motor | Underwriting Assistant
claims examiner | motor claims specialist | insurance clerk
claims assessment | policy wording | fraud detection | negotiation | damage appraisal | report writing
assessing motor claims | spotting fraud | settling with policyholders
65000

Research Scientist - Molecular Biology | Postdoctoral Researcher, Genetics | R&D Scientist
molecular biologist | genetics researcher | life science postdoc
PCR | CRISPR | cell culture | data analysis in R | sequencing | scientific writing
editing genes with CRISPR | analysing sequencing data | publishing papers
90000
"""

JOBS = tuple(_jobs(_ON_SITE, at_desk=False) + _jobs(_AT_DESK, at_desk=True))
