"""Off-policy evaluation: what a policy would have earned, judged from the logs of another policy.

`evaluate` takes a log and policies, or a pandas table, policies and the names of columns; the estimators of
`recsim.ope.slate`, the intervals and the diagnostics also work on plain arrays.
"""

from recsim.ope.diagnostics import Overlap, Verdict, overlap_of, verdict_of, warnings_of
from recsim.ope.estimators import ESTIMATORS, PREFERRED, PREFERRED_SESSION
from recsim.ope.evaluating import evaluate
from recsim.ope.intervals import Interval, Resamples, bootstrap, clusters_of, difference
from recsim.ope.result import Estimate, Evaluation, Lead
from recsim.ope.slate import cascade_dr, dm, dr, prefix_weight, rips, sips, snrips, snsips
from recsim.ope.table import evaluate_table, table_of
from recsim.ope.table_arrays import Table
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
    "Terms",
    "Verdict",
    "bootstrap",
    "cascade_dr",
    "clusters_of",
    "difference",
    "dm",
    "dr",
    "evaluate",
    "evaluate_table",
    "overlap_of",
    "prefix_weight",
    "rips",
    "sips",
    "snrips",
    "snsips",
    "table_of",
    "verdict_of",
    "warnings_of",
]
