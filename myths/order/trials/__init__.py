"""All trials of myth 9."""

from myths.order.trials.categories import FindCategory
from myths.order.trials.images import CompareOrders, TrackImages
from myths.order.trials.items import FindItemModes
from myths.order.trials.linear import LearnModes
from myths.order.trials.thinning import ThinSuperclass
from myths.order.trials.trees import DrawTrees, LearnTree

__all__ = ["CompareOrders", "DrawTrees", "FindCategory", "FindItemModes", "LearnModes", "LearnTree", "ThinSuperclass", "TrackImages"]
