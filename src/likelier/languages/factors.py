"""The ways factors and features are named, as :mod:`likelier.features` names them.

Scores keep a factor by its English name, so a name is taken apart again where it is shown.
"""

FACTORS = (
    "Days since {name}",
    "Days since first {name}",
    "Days since day {nth} back with {name}",
    "Days since {name} against usual gap",
    "Days between {name}",
    "Days between last two {name}",
    "Days to {name}",
    "Days with {name}",
    "Days with {name} in {days} days",
    "Count of {name}",
    "Count of {name} in {days} days",
    "Count of {name}, halved every {days} days",
    "Rhythm of {name}",
    "Irregularity of {name}",
    "Trend of {name}",
    "Trend of {name} in {days} days",
    "Share of {name}",
    "Share of {name} in all events",
    "Share of events at weekends",
    "Share of events at night (UTC)",
    "Expected days with {name}",
    "Chance of more {name} by rhythm",
    "Total {name}",
    "Total {name} in {days} days",
    "Average {name}",
    "Greatest {name}",
    "Latest {name}",
    "Distinct {name}",
    "Distinct {name} in {days} days",
)
