"""Does a judge know what it knows? Its scores against the truth, as plain figures and as sentences.

Knows: scores, truths, lengths, and which answers belong to one question. Does not know: runs, records or pages.
"""

from __future__ import annotations

from isheep.trial.cases import Case
from isheep.trial.change import Duel, drift, self_preference
from isheep.trial.curve import at_filter
from isheep.trial.separation import LEAST, separation

__all__ = ["LEAST", "Case", "Duel", "at_filter", "drift", "self_preference", "separation"]
