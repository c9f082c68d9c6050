"""From raw events to scores with reasons: the stages in order.

read      events to activities: evaluated, coded, sorted by profile and time (:mod:`.reading`)
check     who is eligible at which cut-off, what came of it, and whether that is enough (:mod:`.asking`, :mod:`.floors`)
train     learn from early cut-offs, be judged on the latest, learn again from all (:mod:`.learning`)
score     predict and explain everybody eligible now (:mod:`.scoring`)
insights  what a report shows (:mod:`.stages`)

Several runs can share the first stage (:mod:`.together`). Afterwards: what came of the scored (:mod:`.outcomes`), and
what runs in the past would have said (:mod:`.backtest`).
"""

from likelier.pipeline.backtest import Backtest
from likelier.pipeline.ondemand import Scorer
from likelier.pipeline.outcomes import Outcomes, outcomes
from likelier.pipeline.preflight import preflight
from likelier.pipeline.reading import Inputs, newest_event, with_champion
from likelier.pipeline.stages import STAGES, insights_of, other_scores_file, run_stage, scorer_files, scores_file
from likelier.pipeline.together import read_together

__all__ = [
    "STAGES",
    "Backtest",
    "Inputs",
    "Outcomes",
    "Scorer",
    "insights_of",
    "newest_event",
    "other_scores_file",
    "outcomes",
    "preflight",
    "read_together",
    "run_stage",
    "scorer_files",
    "scores_file",
    "with_champion",
]
