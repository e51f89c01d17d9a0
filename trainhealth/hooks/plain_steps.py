"""Steps that are not sampled: nearly all are, so that each must cost next to nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._C import _len_torch_dispatch_stack, _len_torch_function_stack

from trainhealth.hooks.batches import MicroBatch, merged
from trainhealth.hooks.governor import HOOKED

if TYPE_CHECKING:
    from trainhealth.hooks.recorder import Recorder
    from trainhealth.hooks.writer import AccumulatedFields, StepFields

AWAKE = 16  # steps after a sample in which forwards are still seen: for how long batches are waited for


class PlainSteps:
    """Stretches of steps of which it is known in advance that none is sampled.

    In a stretch a step is one update and one call of `step` with one loss: what else happens ends the stretch and is
    left to the recorder. Where an update tells all that is needed, the models' root hooks are off: any hook makes torch
    take a slow path, which costs more than all the rest of a step. They are on again where an evaluation is expected.
    The governor gets its account when the stretch has ended.

    Whatever is looked up in each step is a line of the cache that the training has driven out since. In a real loop
    that is most of the cost, and the reason for what stands here instead of where it belongs.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.under_way = False
        self.held: list[MicroBatch] = []  # calls of `step` that wait for an update
        self._waits = False  # a call may
        self._before = False  # calls of `step` stand before their update
        self._accumulates = False  # steps have several
        self._recorder = recorder
        self._left = 0  # steps of the stretch that are still to come
        self._resting = False  # the root hooks are off
        self._judges = False  # the accuracy is taken in each step
        self._epoch = 0.0  # seconds since 1970 at which the clock stood at 0
        self._began = self._cpu = 0.0  # when the stretch did: the wall's clock, the thread's
        self._times: list[float] = []  # when each of its steps has ended
        self._finite = True  # as the loss before the stretch was
        self._scaled = False  # there are loss scalers, which are told of each step's end
        self._gather: Callable[[StepFields | AccumulatedFields], None] | None = (
            None  # takes the records, where they are gathered
        )
        self._told_at = 0  # the step at which the script last told of an evaluation
        self._period = 0  # steps from one to the next; 0: not known

    def follow(self, *, sampled: bool, before: bool, accumulates: bool) -> None:
        """A step has ended (it was `sampled`): begin a stretch, if the next steps are as plain as it was.

        Its calls of `step` stood `before` the update, or were several, which it `accumulates`.
        """
        self._before, self._accumulates = before, accumulates
        self._begin(sampled=sampled)

    def _begin(self, *, sampled: bool = False) -> None:
        recorder = self._recorder
        step, governor = recorder.next_step, recorder.governor
        recorder.writer.limit = governor.dearest_write
        recorder.tell_savings()
        length = governor.stretch(step, samples=recorder.sampler.running)
        if recorder.sampler.sample is not None or recorder.sampler.eve or recorder.transfer.waiting:
            length = 0
        if sampled:
            length = min(length, AWAKE)
        rests = not sampled and self._may_rest()
        if rests and self._period and self._told_at + self._period >= step:
            length = min(length, self._told_at + self._period - step)
        self._left = max(length, 0)
        self.under_way = self._left > 0
        self._rest(self.under_way and rests)
        if self.under_way:
            self._judges = governor.affords(recorder.reader.accuracy_cost)
            self._finite, self._scaled = recorder.finite, bool(recorder.sampler.scalers.known)
            one = len(recorder.updates.optimizers) == 1
            self._waits = one and not self._scaled and (self._before or not self._resting)
            self._gather = recorder.writer.gather
            self._times = []
            self._cpu, self._began = time.thread_time(), time.perf_counter()
            self._epoch = time.time() - self._began

    def took(self, loss: Any, outputs: Any, targets: Any, number: Any) -> bool:
        """Record a call of `step`, if it is a plain one of the stretch under way."""
        try:
            if _len_torch_dispatch_stack():
                plain = False  # a mode of the user's would see what we do: elsewhere it is taken off meanwhile
            elif _len_torch_function_stack():
                with torch._C.DisableTorchFunction():  # a mode of the user's does not see what we do
                    plain = self._record(loss, outputs, targets, number)
            else:
                plain = self._record(loss, outputs, targets, number)
            if not self._left:
                self._next()
        except Exception as error:  # noqa: BLE001  # as in a guard: nothing of ours reaches the training
            self.end()
            self._recorder.failed("step", error)
            return True
        if not plain:
            self.end()
        return plain

    def updated(self) -> None:
        """An update has followed calls of `step` that wait for one: it ends their step, if no forward came between."""
        recorder = self._recorder
        if not self.held or (recorder.forwards and not self._resting):
            return
        try:
            if not recorder.updates.refusals and self._end_accumulated(self.held):
                if not self._left:
                    self._next()
                return
        except Exception as error:  # noqa: BLE001  # as in `took`
            recorder.failed("step", error)
        recorder.updates.count -= 1
        self.end()
        recorder.updated()

    def evaluation_told(self) -> None:
        """The script has told of an evaluation, at the end of an epoch or after some steps."""
        self.end()
        step = self._recorder.next_step
        if step > self._told_at:
            self._period, self._told_at = step - self._told_at, step

    def end(self) -> None:
        """Leave the stretch: everything is looked at again."""
        if self.under_way:
            self.under_way = False
            if self._times:
                self._account()
            held, self.held = self.held, []
            if held:
                self._recorder.take_back(held)
            elif self._resting:
                self._recorder.forwards = max(self._recorder.forwards, 1)  # nobody has seen the one of this step
            self._rest(False)

    def _record(self, loss: Any, outputs: Any, targets: Any, number: Any) -> bool:
        """Take a call of `step`: the end of a step, or one that waits for its update; False: there is more to it."""
        recorder = self._recorder
        updates = recorder.updates
        if updates.refusals or (number is not None and number != recorder.next_step):
            return False
        if not updates.count and (not self._waits or (self.held and self._resting)):
            return False
        try:
            if type(loss) is Tensor:
                if not loss.is_cpu:
                    return False
                value = loss.item()
            else:
                value = loss
            if targets is not None and type(targets) is not Tensor:
                targets = None
            if outputs is not None and type(outputs) is not Tensor and (targets is None or self._judges):
                outputs = recorder.reader.prediction_in(outputs)
            leading, size = outputs if targets is None else targets, recorder.batch_entering
            if leading is not None and not recorder.time_major:
                size = leading.size(0)
            elif self._resting:
                return False
        except (RuntimeError, IndexError):  # the loss is no single number, the targets are
            return False
        if type(value) is not float or (value - value == 0.0) is not self._finite:
            return False
        accuracy = None
        if self._judges and outputs is not None and targets is not None:
            accuracy = recorder.reader.accuracy(outputs, targets)
        if not updates.count:
            self.held.append(MicroBatch({"": value}, accuracy, size))
            recorder.forwards = 0
            return True
        if self.held:
            return self._end_accumulated([*self.held, MicroBatch({"": value}, accuracy, size)])
        return self._end_step(value, accuracy, size)

    def _end_accumulated(self, batches: list[MicroBatch]) -> bool:
        """Write the record of a step of several calls, or of one before its update; False: there is more to it."""
        value, accuracy, size = merged(batches)
        if value is None or not self._end_step(value, accuracy, size, len(batches)):
            return False
        self.held = []
        return True

    def _end_step(
        self, value: float, accuracy: float | None, size: int | None, micro_batches: int | None = None
    ) -> bool:
        """Write the record of a step; False: there is more to it."""
        recorder = self._recorder
        updates, step = recorder.updates, recorder.next_step
        rate = changed = None
        if updates.rates.changed:
            if len(updates.optimizers) > 1 or len(updates.optimizers[0].param_groups) > 1:
                return False
            rate = updates.rates.changes()[0]
        if size != recorder.written_size:
            recorder.written_size = changed = size
        updates.count = 0
        recorder.next_step = step + 1
        if not self._resting:
            recorder.forwards = 0
        if self._scaled:
            recorder.sampler.scalers.step_ended()
        self._left -= 1
        now = time.perf_counter()
        self._times.append(now)
        fields: StepFields | AccumulatedFields = (step, now + self._epoch, value, accuracy, rate, changed)
        if micro_batches is not None and micro_batches > 1:
            self._accumulates = True
            recorder.learn("micro_batches", micro_batches)
            fields = (*fields, micro_batches)
        if self._gather is not None:
            self._gather(fields)
        else:
            recorder.writer.write_step(*fields)
        if not self._resting:
            recorder.loading.ended_at = time.perf_counter()
        return True

    def _next(self) -> None:
        """The stretch has ended as it was meant to: see whether the next step is sampled, or else go on."""
        recorder = self._recorder
        self.under_way = False
        recorder.thread = threading.get_ident()
        self._account()
        recorder.notice_failure()
        recorder.sampler.arm()
        self._begin()

    def _account(self) -> None:
        recorder, hooked = self._recorder, not self._resting
        taken, ended = len(self._times), self._times[-1]
        whole = max(ended - self._began, 1e-9)
        lengths = [end - begin for begin, end in pairwise((self._began, *self._times))]
        usual = [length for length in lengths if length < recorder.governor.longest_step]
        length = sum(usual) / len(usual) if 2 * len(usual) > taken else whole / taken  # else steps have become longer
        seen = recorder.reader.accuracy_cost if self._judges else 0.0
        if self._gather is None:
            seen += recorder.writer.cost
        busy = length * min((time.thread_time() - self._cpu) / whole, 1.0)
        recorder.governor.plain_steps(taken, ended, length, seen, busy, hooked=hooked)

    def _may_rest(self) -> bool:
        """Tell whether updates and calls of `step` tell all that there is to know of a plain step."""
        recorder = self._recorder
        return (
            recorder.updates.may_rest
            and not self._accumulates  # only the forwards between them tell which calls belong together
            and not recorder.reads_batch_size
            and not recorder.governor.affords(HOOKED)
            and all(observer.may_rest for observer in recorder.sampler.observers)
        )

    def _rest(self, resting: bool) -> None:
        if resting is not self._resting:
            self._resting = resting
            self._recorder.updates.rest(resting, ending=self._before)
            for observer in self._recorder.sampler.observers:
                observer.rest(resting)
            if resting:
                self._recorder.loading.pause()
            else:
                self._recorder.loading.go_on()
