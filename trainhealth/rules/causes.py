"""Cause before symptom: which illness explains which, when, and the order in which a person should read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Set
from typing import NamedTuple

from trainhealth.findings import Finding
from trainhealth.series import RunView


class Edge(NamedTuple):
    """`cause` explains `symptom`, if it began no later than `slack` of the run after it."""

    cause: str
    symptom: str
    why: str
    slack: float = 0.1  # a cause is often noticed a little later than its symptom (share of the run's steps)
    from_step: int = 0  # a symptom that was there earlier has another cause


def _all(cause: str, symptoms: str, why: str) -> tuple[Edge, ...]:
    """Return an edge from `cause` to each of `symptoms`, whenever in the run they are noticed."""
    return tuple(Edge(cause, symptom, why, 1.0) for symptom in symptoms.split())


# The learning rate acts from the first update on: what is wrong at step 0 was wrong before it.
GRAPH = (
    Edge("OP01", "LS01", "steps too large for the curvature end in overflow (Tr1: 'cost explodes')", from_step=1),
    Edge("OP01", "LS02", "steps too large for the curvature raise the loss (Tr1, L16)"),
    Edge("OP01", "AC01", "one large step pushes a unit's bias below all data: it never fires again (Tr1)", from_step=1),
    Edge("OP01", "AC02", "large steps drive sigmoid and tanh into their flat parts (Opt)", from_step=1),
    Edge("OP01", "GE02", "a rate that is too high stops at a high loss (L16, Opt)"),
    *_all("LS09", "LS01 LS02 LS03 LS04 LS05 LS06 GR02 OP01 OP04 OP12 GE02 AC04", "where a loss has no value all goes"),
    Edge("LS02", "LS01", "a loss that diverges ends in overflow"),
    Edge("LS01", "AC01", "after a NaN every unit's output is NaN or zero", 0.0),
    *_all("LS01", "GE02 GE08", "nothing is learnt after a NaN"),
    Edge("LS02", "GE02", "a diverged loss is poor on both splits", 1.0),
    Edge("IN01", "OP02", "vanishing signals make vanishing gradients: the rate is not at fault (Tr1, Reg)", 1.0),
    Edge("IN01", "AC01", "where the signal has faded, its bias decides whether a unit ever fires (Tr1)", 1.0),
    Edge("IN01", "GE02", "a signal that vanishes with depth can't be learnt from (Tr1, Reg)", 1.0),
    Edge("AC01", "GE02", "dead units are capacity that is gone (Tr1)", 1.0),
    Edge("AC02", "OP02", "saturated units kill the gradient: the rate is not at fault (Tr1)", 1.0),
    Edge("AC02", "GE02", "saturated units kill the gradient (Tr1)", 1.0),
    Edge("OP02", "GE02", "training at this rate has hardly begun (Tr1)", 1.0),
    # shapes of the loss curve: what made them comes first
    Edge("OP01", "OP04", "a rate that is too high for good explodes in the first steps, too (L16)", 1.0),
    Edge("OP01", "LS03", "steps that overshoot from the start gain nothing (Tr1)", 1.0),
    Edge("OP01", "LS04", "steps as long as the valley is wide can't go down into it (Opt)", 1.0),
    Edge("OP01", "LS05", "steps too large for the curvature throw the weights off (UO)", 1.0),
    Edge("OP01", "LS08", "weights that are thrown about find their way late, or by chance (Opt)", 1.0),
    Edge("OP01", "LS06", "steps as long as the valley is wide jump across it (L16, Opt)", 1.0),
    Edge("OP02", "LS03", "at this rate nothing moves (Tr1)", 1.0),
    Edge("OP02", "AC04", "weights that hardly move go on giving what fresh ones give (Tr1)", 1.0),
    Edge("OP02", "LS08", "at this rate the start takes long", 1.0),
    Edge("OP04", "LS08", "weights that the first steps threw off have to find back first", 1.0),
    Edge("OP14", "OP03", "the cut that came too early is the first of those that led to nothing", 1.0),
    Edge("OP14", "LS03", "without a rate no step changes anything", 1.0),
    Edge("OP14", "GE02", "without a rate no step changes anything", 1.0),
    Edge("OP03", "GE02", "the fall was cut off at a high loss (Opt)", 1.0),
    Edge("LS06", "LS04", "the level that it stands at is that of its swings", 1.0),
    Edge("LS06", "LS05", "the largest swings are its spikes", 1.0),
    Edge("LS01", "LS03", "nothing is learnt after a NaN", 1.0),
    Edge("LS02", "LS03", "a loss that runs away does not fall", 1.0),
    Edge("GE02", "LS03", "what the model can't express does not lower its loss", 1.0),
    Edge("GE02", "LS04", "what the model can't express does not lower its loss", 1.0),
    Edge("AC01", "LS03", "dead units learn nothing (Tr1)", 1.0),
    Edge("AC01", "LS04", "dead units are capacity that is gone (Tr1)", 1.0),
    Edge("AC02", "LS04", "saturated units kill the gradient (Tr1)", 1.0),
    Edge("AC02", "LS08", "saturated units pass their gradient on only when they have come back (Tr1)", 1.0),
    # gradients that are never zeroed, parameters that never move: what the rest of the run shows is their doing
    Edge("OP10", "OP01", "the sum of all gradients makes steps too large at any rate", 1.0),
    Edge("OP10", "LS01", "the sum of all gradients ends in overflow", 1.0),
    Edge("OP10", "LS02", "the sum of all gradients carries the weights past every minimum", 1.0),
    Edge("OP10", "LS03", "steps along a sum that never forgets gain nothing", 1.0),
    Edge("OP10", "LS05", "the sum of all gradients throws the weights about", 1.0),
    Edge("OP10", "LS06", "it is momentum of factor 1: the weights swing about every minimum", 1.0),
    Edge("OP10", "GR02", "the gradient is a sum over all steps", 1.0),
    Edge("OP10", "AC01", "large steps push units below all data", 1.0, from_step=1),
    Edge("OP10", "AC02", "large steps drive units into their flat parts", 1.0, from_step=1),
    Edge("OP10", "GE02", "nothing is learnt along a sum of old gradients", 1.0),
    Edge("OP13", "OP10", "gradients that no update ever uses pile up", 1.0),
    Edge("OP13", "LS03", "weights that never move learn nothing", 1.0),
    Edge("OP13", "OP02", "an update of zero is no low rate", 1.0),
    Edge("OP13", "GE02", "weights that never move learn nothing", 1.0),
    *_all("OP13", "GE03 LS04 LS07", "where updates are missing, or rare, little is learnt from many batches"),
    *_all("OP16", "OP02 OP12 LS03 LS04 LS08 GE02 GE03 AC04", "a new optimizer has no memory to get on with (L16)"),
    *_all("OP16", "OP01 OP04 LS02 LS05 LS06 AC01", "Adam without its averages moves all by the full rate (L16)"),
    *_all("OP17", "OP03 OP14 LS04 LS05 LS06 GE02 GE03", "a rate that comes back undoes what the lower one refined"),
    *_all("RU06", "GE02 GE03 GE04 GE07 LS03 LS04 LS05 LS06 LS08 OP02 OP12 AC04", "what is learnt is lost each time"),
    *_all("RU07", "GE01 GE02 GE03 GE04 GE05 GE06 GE07 GE08 GE10 MO03", "an evaluation of other weights says nothing"),
    *_all("OP15", "GR02 OP01 LS01 LS02 LS05", "clipping that does not act lets the steepest gradients through (UO)"),
    Edge("OP09", "LS03", "what is left to learn with is not enough", 1.0),
    Edge("OP09", "LS04", "what is left to learn with is not enough", 1.0),
    Edge("OP09", "GE02", "what is left to learn with is not enough", 1.0),
    # an optimizer that does not get on
    Edge("OP15", "OP02", "clipping, and not the rate, makes the updates tiny", 1.0),
    Edge("OP15", "OP11", "it is the same clipping", 1.0),
    Edge("OP15", "GE09", "weight decay is not clipped: it goes on where the gradient is cut to nothing (L16)", 1.0),
    Edge("OP15", "LS03", "updates that are clipped to nothing change nothing", 1.0),
    Edge("OP15", "GE02", "updates that are clipped to nothing change nothing", 1.0),
    Edge("OP07", "OP02", "AdaGrad's sum, and not the rate, makes the updates tiny (L16, UO)", 1.0),
    Edge("OP07", "LS03", "steps that have decayed change nothing (L16, UO)", 1.0),
    Edge("OP07", "LS04", "steps that have decayed change nothing (L16, UO)", 1.0),
    Edge("OP07", "GE02", "steps that have decayed change nothing (L16, UO)", 1.0),
    Edge("OP06", "LS04", "steps that cancel make no way along the ravine (L16)", 1.0),
    Edge("OP06", "LS06", "the loss swings with the steps across the ravine (L16)", 1.0),
    Edge("OP06", "GE02", "steps that cancel make no way along the ravine (L16)", 1.0),
    Edge("OP01", "OP06", "steps longer than the valley is wide turn back at its other side"),
    Edge("OP12", "LS03", "a random walk gets nowhere", 1.0),
    Edge("OP12", "LS04", "a random walk gets nowhere", 1.0),
    Edge("OP12", "LS06", "the noise of small batches moves the loss (UO)", 1.0),
    Edge("OP12", "GE02", "a random walk gets nowhere", 1.0),
    # gradients on their way through the depth
    Edge("GR01", "OP05", "first layers without a gradient do not move (Tr1)", 1.0),
    Edge("GR01", "OP02", "the gradient, and not the rate, is too small (Tr1)", 1.0),
    Edge("GR01", "LS03", "layers without a gradient learn nothing (Tr1)", 1.0),
    Edge("GR01", "LS04", "layers without a gradient learn nothing (Tr1)", 1.0),
    Edge("GR01", "LS08", "the loss waits for the gradient to get through", 1.0),
    Edge("GR01", "GE02", "layers without a gradient learn nothing (Tr1)", 1.0),
    Edge("GR02", "OP01", "a gradient that explodes makes the updates of any rate too large (UO)", 0.0),
    Edge("GR02", "OP05", "the layers that get the larger gradients move faster", 1.0),
    Edge("GR02", "LS01", "one exploding gradient throws the weights out of range (UO)"),
    Edge("GR02", "LS07", "what makes the gradient explode makes the outputs too large (UO)", 1.0),
    Edge("GR02", "LS02", "one exploding gradient throws the weights away (UO)"),
    Edge("GR02", "LS05", "the loss jumps where the gradient does (UO)", 1.0),
    Edge("GR02", "GE02", "training has lost its way where the gradient exploded", 1.0),
    # the weights that training starts from
    Edge("IN01", "IN04", "the fading signal is what weights of this size do", 1.0),
    Edge("IN01", "GR01", "gradients shrink with the same weights (Tr1)", 1.0),
    Edge("IN01", "OP01", "tiny weights make every update a large one", 1.0),
    Edge("IN01", "OP05", "gradients shrink with the same weights (Tr1)", 1.0),
    Edge("IN01", "LS03", "a signal that vanishes with depth can't be learnt from (Tr1, Reg)", 1.0),
    Edge("IN01", "LS08", "the loss waits until training has healed the start (Opt)", 1.0),
    Edge("IN02", "IN04", "the growing signal is what weights of this size do", 1.0),
    Edge("IN02", "LS07", "outputs that are too large are wrong at a high cost (Tr1)", 1.0),
    Edge("IN02", "GR02", "gradients grow with the same weights (UO)", 1.0),
    Edge("IN02", "OP01", "large signals make large gradients, and so large updates", 1.0),
    Edge("IN02", "LS01", "a signal that grows with depth ends in overflow", 1.0),
    Edge("IN02", "LS02", "large signals make large gradients, and so large updates", 1.0),
    Edge("IN02", "LS05", "large signals make large gradients, and so large updates", 1.0),
    Edge("IN02", "AC01", "large updates push units below all data", 1.0),
    Edge("IN02", "GE02", "training does not recover from such a start", 1.0),
    Edge("IN03", "IN01", "units that are all zero pass nothing on", 1.0),
    Edge("IN03", "IN04", "weights that are all equal are of no size", 1.0),
    Edge("IN03", "AC01", "units that are all zero never fire (L16)", 1.0),
    Edge("IN03", "AC04", "equal units tell no inputs apart (L16)", 1.0),
    Edge("IN03", "GR01", "no gradient passes weights that are zero (L16)", 1.0),
    Edge("IN03", "OP01", "equal units move together", 1.0),
    Edge("IN03", "OP02", "no gradient passes weights that are zero: the rate is not at fault (L16)", 1.0),
    Edge("IN03", "OP05", "no gradient passes weights that are zero (L16)", 1.0),
    Edge("IN03", "LS03", "equal units learn what one unit can (L16)", 1.0),
    Edge("IN03", "LS04", "equal units learn what one unit can (L16)", 1.0),
    Edge("IN03", "GE02", "equal units learn what one unit can (L16)", 1.0),
    Edge("AC02", "GR01", "saturated units kill the gradient (Tr1)", 1.0),
    Edge("AC02", "LS03", "saturated units kill the gradient (Tr1)", 1.0),
    Edge("AC01", "GR01", "no gradient passes dead units (Tr1)", 1.0),
    Edge("AC01", "OP05", "no gradient passes dead units (Tr1)", 1.0),
    Edge("IN04", "LS07", "outputs that are too large are wrong at a high cost (Tr1)", 1.0),
    Edge("IN04", "GR01", "small weights shrink the gradient, too", 1.0),
    Edge("IN04", "GR02", "large weights magnify the gradient, too", 1.0),
    Edge("IN04", "OP01", "the updates are out of proportion because the weights are", 1.0),
    Edge("IN04", "OP02", "small weights shrink the gradient: the rate is not at fault", 1.0),
    Edge("IN04", "AC01", "large weights push units below all data", 1.0),
    Edge("IN04", "LS01", "large weights make large gradients, and so large updates", 1.0),
    Edge("IN04", "LS02", "large weights make large gradients, and so large updates", 1.0),
    Edge("IN04", "LS03", "training does not recover from such a start", 1.0),
    Edge("IN04", "LS05", "large weights make large gradients, and so large updates", 1.0),
    Edge("IN04", "LS08", "the loss waits until training has healed the start (Opt)", 1.0),
    Edge("IN04", "GE02", "training does not recover from such a start", 1.0),
    # what many of these illnesses come to
    Edge("OP01", "AC04", "units that large steps have killed pass nothing on (Tr1)", 1.0),
    Edge("OP09", "AC04", "what can't learn goes on giving what it gave", 1.0),
    Edge("OP10", "AC04", "units that large steps have killed pass nothing on", 1.0),
    Edge("OP13", "AC04", "what never moves goes on giving what it gave", 1.0),
    Edge("OP15", "AC04", "what hardly moves goes on giving what it gave", 1.0),
    Edge("GR01", "AC04", "layers without a gradient don't learn to tell inputs apart", 1.0),
    Edge("IN01", "AC04", "a signal that has faded tells no inputs apart (Tr1)", 1.0),
    Edge("IN04", "AC04", "a signal that has faded tells no inputs apart", 1.0),
    Edge("IN03", "AC02", "equal units are driven into the flat parts together", 1.0),
    Edge("IN02", "OP04", "large signals make large first updates", 1.0),
    Edge("IN04", "OP04", "large signals make large first updates", 1.0),
    Edge("GR02", "OP04", "large gradients make large first updates", 1.0),
    Edge("OP10", "OP04", "the sum of gradients grows from the first steps on", 1.0),
    Edge("IN02", "GE08", "features that are drawn too large are fitted, not learnt", 1.0),
    Edge("IN04", "GE08", "features that are drawn too large are fitted, not learnt", 1.0),
    # data, modes and losses: they are there before the first step, and whatever follows is their doing
    *_all("DA01", "AC02 AC03 OP01 OP02 OP05 OP06 OP12 LS02 LS05 LS06 LS07", "an offset makes ravines (L16, Tr1)"),
    *_all("DA01", "AC01 AC04 GR02 IN02 LS01 LS03 LS04 LS08 GE02", "an offset that all inputs share hides what differs"),
    *_all("DA02", "DA01 IN02 LS07 GR02 AC02 AC03", "large inputs make large sums (L16)"),
    *_all("DA02", "AC01 OP01 OP02 OP04 OP05 OP06 OP12 LS01 LS02 LS05 LS06", "no one rate suits all features (L16)"),
    *_all("DA02", "AC04 LS03 LS04 LS08 GE02 GE08 IN01 GR01", "the largest features drown the others (L16)"),
    *_all("DA03", "AC01 AC04 LS03 LS04 GE02 GE08 OP12", "what is constant tells nothing"),
    *_all("DA04", "AC04 LS03 LS04 LS08 GE02 OP12", "saying the majority is a good answer at first"),
    *_all("DA04", "LS07 GE01 GE03 GE04 GE05 GE07 GE08 GE10", "what leans to the majority fails where classes are even"),
    *_all("DA05", "AC01 MO03 LS02 LS05 LS06 LS08 OP01 OP04 OP06 OP12", "every batch pulls towards another class"),
    *_all("DA05", "AC04 LS03 LS04 GE01 GE02 GE06 GE07 GE08", "what one batch teaches the next one makes forget"),
    *_all("DA06", "GE01 GE03 GE04 GE05 GE06 GE07 GE08 GE09 MO03", "validation sees inputs of another kind"),
    *_all("DA07", "AC04 AC01 AC02 LS03 LS04 LS07 OP02 OP12 GE02 GE03 GE06 GE08", "there is nothing to tell apart"),
    *_all("DA08", "OP01 OP04 OP11 OP15 GR02 LS01 LS02 LS05 LS06 LS07", "large targets make large gradients"),
    *_all("DA08", "AC01 AC02 AC04 IN04 LS03 LS04 LS08 OP02 OP12 GE02 GE03", "outputs of unit scale are far from them"),
    *_all("DA09", "LS01 LS02 LS03 GR02 AC01 AC04 GE02 GE08 IN02 MO03", "NaN spreads to all that it is part of"),
    *_all("DA10", "LS01 LS02 LS04 LS07 OP01 OP12 GR02 GE01 GE02 GE03 GE04 GE06 GE08", "this loss has no minimum"),
    *_all("DA10", "AC01 AC02 AC04 DA04 LS03", "outputs grow without end"),
    *_all("MO01", "GE01 GE04 GE05 GE06 GE07 GE08 GE02 GE09", "dropout and batch statistics disturb the score (Reg)"),
    *_all("MO02", "LS07 MO03 GE01 GE04 GE08 LS05 LS06 OP01 LS02", "neither dropout nor batch norm acts (Reg)"),
    *_all("MO03", "GE01 GE04 GE05 GE07 GE08", "evaluation normalises with other statistics (Reg)"),
    *_all("MO03", "GR02 LS05 OP12 GE02", "statistics of a few examples are another noise in every step (Reg)"),
    *_all("MO04", "AC04 LS03 LS04 LS07 LS08 OP02 OP12 GE02 GE03 GR01", "probabilities are no scores: small gradients"),
    *_all("MO06", "AC04 LS03 LS04 OP02 OP12 GE02 GE08 GE01", "the mean is the best answer to all pairs"),
    *_all("MO07", "MO08 DA07 AC01 AC02 AC04 LS03 LS04 LS07 LS08", "the outputs can't come near the targets"),
    *_all("MO07", "OP01 OP02 OP12 GE02 GE03 GE08 GR01 DA10", "units against their bound get no gradient"),
    *_all("MO08", "LS07 LS01 LS02 LS05 LS06 OP01 GR02 DA07", "the loss is another one than was meant"),
    *_all("MO08", "AC01 AC02 AC04 LS03 LS04 LS08 OP12 GE01 GE02 GE03 GE04 GE06 GE08", "it rewards something else"),
    *_all("MO09", "AC04 LS03 LS04 OP12 GE02 IN01 IN02 IN04", "linear layers in a row can no more than one"),
    *_all("MO11", "LS03 LS04 LS07 OP02 OP12 AC04 GE02 GE03", "a second sigmoid keeps the loss up"),
    *_all("MO12", "AC01 AC04 LS03 LS04 LS07 OP12 GE02", "scores that are cut to 0 get no gradient"),
    *_all("AC05", "AC03 AC04 GR01 IN01 LS03 LS04 LS08 OP05 OP12 GE02", "a sigmoid quarters the gradient (Tr1)"),
    *_all(
        "MO13", "AC04 LS03 LS04 LS08 OP02 OP12 GE01 GE02 GE03 GE04 GE08", "scores in wrong places are right by chance"
    ),
    *_all("MO14", "LS03 LS04 LS07 OP12 GE02 GE03 GE06 MO05 AC04", "answers that are thrown away can't be learnt"),
    *_all(
        "MO15", "AC04 LS03 LS04 LS08 OP02 OP12 GE01 GE02 GE03 GE04 GE05 GE06 GE07 GE08", "other examples are no context"
    ),
    *_all(
        "DA11", "DA04 DA06 GE01 GE02 GE03 GE04 GE05 GE06 GE07 GE08 GE10", "nobody can learn a class without examples"
    ),
    *_all("DA12", "DA04 LS04 GE03 GE04 GE06", "the filling is soon learnt, and then most of the loss stands still"),
    *_all("AC03", "LS07 OP06 OP12 LS03 LS04 LS08 GE02", "activations of one sign make steps zig-zag (Tr1)"),
    *_all("AC04", "LS03 LS04 LS08 OP12 GE02", "outputs that are all alike stop at the loss of a constant"),
    *_all("AC01", "AC04", "dead units tell no inputs apart (Tr1)"),
    *_all("AC02", "AC03 AC04", "saturated units hardly tell inputs apart (Tr1)"),
    *_all("LS01", "AC04", "after a NaN all outputs are NaN"),
    *_all("LS02", "AC03 AC04", "what has run away gives one answer, from one side of its functions"),
    *_all("IN02", "AC04 AC02", "units that are pushed far out all say the same"),
    Edge("OP06", "OP12", "gradients that turn round look like noise to each other", 1.0),
    Edge("OP06", "OP04", "steps across a ravine throw the loss up from the start", 1.0),
    Edge("OP01", "OP12", "gradients of places far apart look like noise to each other", 1.0),
    Edge("OP05", "OP12", "what is left of a gradient in layers that stand still is noise", 1.0),
    *(
        Edge(cause, "OP12", "a gradient that explodes differs from batch to batch", 1.0)
        for cause in ("GR02", "IN02", "IN04")
    ),
    Edge("OP10", "OP12", "the sum of all gradients is no batch's own", 1.0),
    # what keeps a model poor, or makes it learn its data by heart
    *_all("GE09", "GE01 GE02 LS02 LS03 LS04 GE04 OP02 AC04", "weights that are driven to zero express nothing (L16)"),
    Edge("GE09", "OP01", "beside weights that shrink every update is a large one", 1.0, from_step=1),
    Edge("GE09", "AC01", "weights and biases that shrink take units with them", 1.0, from_step=1),
    Edge("GE09", "GR01", "weights that shrink pass less gradient on", 1.0, from_step=1),
    Edge("GE09", "IN01", "weights that shrink pass less signal on", 1.0, from_step=1),
    *_all("MO05", "GE02 GE03 LS03 LS04 GE04 AC04", "what is left of the units can't express the task (L16, UO)"),
    *_all(
        "MO05",
        "AC01 LS07 LS01 LS02 LS05 OP01 OP04 OP12 GE10",
        "dropout multiplies what it leaves by 1 / (1 - p), another part in every batch (UO)",
    ),
    *_all("GE08", "GE01 GE02 GE03 GE04 GE05 GE06 LS03 LS04 LS08", "what is learnt by heart holds for no other data"),
    Edge("GE01", "GE03", "what is still gained holds for the training data: more steps cost more than they bring", 1.0),
    *_all("DA06", "GE10", "validation sees inputs of another kind"),
    *_all("MO01", "GE10", "dropout and batch statistics spoil the evaluation"),
    *_all("MO03", "GE10", "evaluation normalises with other statistics"),
    *_all("GE10", "GE01 GE03 GE04 GE05 GE06 GE07 GE08", "a validation loss of another scale has no say"),
    *_all("GE05", "GE01 GE02 GE04 LS04", "high bias or high variance is one half of both (L16)"),
    *(
        Edge(cause, "GE03", "what slows learning down makes the run too short", 1.0)
        for cause in (
            *("OP01", "OP02", "OP03", "OP05", "OP06", "OP07", "OP09", "OP10", "OP12", "OP14", "OP15", "GE02", "GE09"),
            *("GR01", "GR02", "IN01", "IN02", "IN03", "IN04", "AC01", "AC02", "AC04", "DA01", "DA02", "DA03", "LS05"),
            *("MO01", "MO02", "MO03", "MO06", "MO12", "LS02", "LS06", "LS08"),
        )
    ),
    *_all("GE02", "GE04", "a model that can learn no more stands still"),
    *_all("LS02", "GE04", "the best evaluation lies before the loss ran away"),
    *_all("OP01", "GE04", "the best evaluation lies before the steps that threw the weights off"),
    *_all("AC04", "GE04", "the best evaluation lies before the outputs became all alike"),
    *_all("LS01", "GE04", "the best evaluation lies before the first NaN"),
    # the process that trains
    *_all("RU05", "LS02 LS05 GE04", "the loss jumped where the run was resumed"),
    *_all("RU04", "LS04 LS05 LS06 GE02", "at each averaging the clients lose what they had learnt (Reg)"),
    *_all("RU03", "RU04", "ranks that never come together are no clients of an averaging"),
    # what only a checkup sees
    *_all("CU01", "LS07", "dropout or a penalty makes up the first loss (Tr1)"),
    *_all("CU02", "LS02 LS01", "a penalty that rewards large weights drives the loss down without end"),
    *_all("AC01", "CU08", "behind a layer of dead units no input is seen"),
    *_all("IN01", "CU08", "a signal that fades with depth does not reach the outputs"),
    *_all("CU08", "AC04", "outputs that ignore the input are the same for all of it"),
    *_all("CU13", "CU11", "dropout that stays on in evaluation mode spoils it"),
    *_all("CU15", "OP01 OP04 LS02", "from the same start, another learning rate trains"),
)


def link_causes(findings: Iterable[Finding], run: RunView) -> list[Finding]:
    """Return the findings with `caused_by` filled in from the graph, the causes in reading order.

    A cause must not begin after its symptom, and costs at least what its symptoms cost: a note that explains a warning
    is one.
    """
    found = list(findings)
    length = max(run.last_step, 1)
    found = _as_severe_as_symptoms(found, [_causes(symptom, found, length) for symptom in found])
    causes_of = [_causes(symptom, found, length) for symptom in found]
    explained = {symptom.id for symptom, causes in zip(found, causes_of, strict=True) if causes}
    return [
        dataclasses.replace(symptom, caused_by=tuple(dict.fromkeys(cause.id for cause in _ordered(causes, explained))))
        for symptom, causes in zip(found, causes_of, strict=True)
    ]


def _as_severe_as_symptoms(found: list[Finding], causes_of: list[list[Finding]]) -> list[Finding]:
    """Return the findings, each as severe as the most severe one that it explains by itself or through others."""
    worst = {finding.id: finding.severity for finding in found}
    links = [(cause.id, symptom.id) for symptom, causes in zip(found, causes_of, strict=True) for cause in causes]
    for _ in found:  # a chain is no longer than that
        for cause, symptom in links:
            worst[cause] = min(worst[cause], worst[symptom], key=lambda severity: severity.rank)
    return [
        finding if worst[finding.id] is finding.severity else dataclasses.replace(finding, severity=worst[finding.id])
        for finding in found
    ]


def _causes(symptom: Finding, found: Iterable[Finding], length: int) -> list[Finding]:
    return [
        cause
        for cause in found
        for edge in GRAPH
        if (edge.cause, edge.symptom) == (cause.code, symptom.code)
        and cause.first_step <= symptom.first_step + edge.slack * length
        and symptom.first_step >= edge.from_step
    ]


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return causes first, then by severity, confidence and time."""
    found = tuple(findings)
    return _ordered(found, {finding.id for finding in found if finding.caused_by})


def _ordered(findings: Iterable[Finding], explained: Set[str]) -> tuple[Finding, ...]:
    """Return the findings in reading order; `explained` are the ids of those that have a cause."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (f.id in explained, f.severity.rank, f.confidence.rank, f.first_step, f.code, f.place),
        )
    )
