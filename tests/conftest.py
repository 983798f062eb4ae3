"""What every test shares."""

from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: examples have no deadline, only the test has one.
settings.register_profile("rolecall", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rolecall")
