"""Off-policy evaluation: what a policy would have earned, judged from the logs of another policy.

`evaluate` takes a log and policies, or a pandas table, policies and the names of columns; `evaluate_folder` a log that
is larger than memory. Every estimator is also a function of plain arrays: `bandit`, `embedding` and `loggers` for
single actions, `slate`, `positions`, `exposure` and `pseudo_inverse` for slates, `sessions`, `magic`, `visitation` and
`dice` for sessions; so are intervals (`intervals`, `bounds`, `sequences`, `region`), diagnostics and the choice of
estimators (`selection`) and policies (`assessment`, `power`).
"""

from recsim.ope.assessment import assess
from recsim.ope.diagnostics import Overlap, Verdict, overlap_of, verdict_of, warnings_of
from recsim.ope.evaluation.estimators import ESTIMATORS, PREFERRED, PREFERRED_SESSION
from recsim.ope.evaluation.evaluate import evaluate
from recsim.ope.evaluation.logs import evaluate_log
from recsim.ope.evaluation.result import Estimate, Evaluation, Lead
from recsim.ope.folders.folder import evaluate_folder
from recsim.ope.folders.parts import write_parts
from recsim.ope.folders.plan import TargetColumns
from recsim.ope.intervals import Interval, Resamples, bootstrap, clusters_of, difference
from recsim.ope.power import power_of, sessions_per_arm
from recsim.ope.slate import cascade_dr, dm, dr, prefix_weight, rips, sips, snrips, snsips
from recsim.ope.tables.arrays import Table
from recsim.ope.tables.table import evaluate_table, table_of
from recsim.ope.terms import Terms

__all__ = [
    "ESTIMATORS",
    "PREFERRED",
    "PREFERRED_SESSION",
    "Estimate",
    "Evaluation",
    "Interval",
    "Lead",
    "Overlap",
    "Resamples",
    "Table",
    "TargetColumns",
    "Terms",
    "Verdict",
    "assess",
    "bootstrap",
    "cascade_dr",
    "clusters_of",
    "difference",
    "dm",
    "dr",
    "evaluate",
    "evaluate_folder",
    "evaluate_log",
    "evaluate_table",
    "overlap_of",
    "power_of",
    "prefix_weight",
    "rips",
    "sessions_per_arm",
    "sips",
    "snrips",
    "snsips",
    "table_of",
    "verdict_of",
    "warnings_of",
    "write_parts",
]
