"""The law of a shared rate, in virtual time: several processes, one database, clocks that disagree."""

import heapq
import itertools
import math
import random
from bisect import bisect_left

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from mettl_async.jobs.turns import LATE, Answer, OtherClock, Turns


@define(eq=False)
class World:
    """Time, what happens in it, and the row of an account by the database's clock."""

    seed: int
    delay: float  # seconds that a statement takes to the database at most, and its answer back
    lag: float = 0.0  # seconds that a process may be late at a step
    now: float = 0.0
    ahead: float = 7e8  # of the database's clock
    next_turn: float = 0.0
    paused_until: float = 0.0
    agenda: list = field(factory=list)
    spent: list = field(factory=list)
    asked: int = 0
    chance: random.Random = field(init=False)
    numbers: itertools.count = field(factory=itertools.count)

    def __attrs_post_init__(self):
        self.chance = random.Random(self.seed)

    def after(self, seconds, do):
        heapq.heappush(self.agenda, (self.now + seconds, next(self.numbers), do))

    def run(self, until):
        while self.agenda and self.agenda[0][0] < until:
            self.now, _, do = heapq.heappop(self.agenda)
            do()

    def reserve(self, turns, per_second, margin, pause):
        now = self.now + self.ahead
        if pause:
            self.paused_until = max(self.paused_until, now + pause)
        start = max(self.next_turn, now + margin, self.paused_until)
        if turns or pause:
            self.next_turn = start + turns / per_second
        return Answer(start, self.paused_until, now)

    def most_in_a_second(self):
        self.spent.sort()
        return max(
            (
                bisect_left(self.spent, since + 1.0) - place
                for place, since in enumerate(self.spent)
            ),
            default=0,  # a loop that is always late may spend none
        )


@define(eq=False)
class Process:
    world: World
    turns: Turns
    waiting: int
    ahead: float  # of its clock
    served: float = math.inf  # seconds until somebody who was served waits again
    asking: bool = False
    planned: int = 0
    had: int = 0

    def step(self):
        world, now = self.world, self.world.now + self.ahead
        while self.waiting:
            step = self.turns.step(now, self.waiting)
            if step.turns or step.look:
                self.ask(step.turns)
            if step.wait != 0:
                if step.wait is not None:
                    self.planned += 1
                    late = world.chance.uniform(0, world.lag)
                    world.after(step.wait + late, lambda mine=self.planned: self.woken(mine))
                return
            world.spent.append(world.now)
            self.had += 1
            if self.served < math.inf:
                self.waiting -= 1
                world.after(self.served, self.come)

    def woken(self, planned):
        if planned == self.planned:
            self.step()

    def come(self):
        self.waiting += 1
        self.step()

    def pause(self, seconds):
        self.turns.pause(self.world.now + self.ahead, seconds)
        self.ask(0)

    def ask(self, turns):
        if self.asking:
            return
        self.asking, world = True, self.world
        world.asked += 1
        asked = world.now + self.ahead
        pause, margin = self.turns.untold(asked), self.turns.margin

        def there():
            answer = world.reserve(turns, self.turns.per_second, margin, pause)
            world.after(world.chance.uniform(0, world.delay), lambda: back(answer))

        def back(answer):
            self.asking = False
            got = world.now + self.ahead
            self.turns.answered(asked, asked, got, answer, turns=turns, pause=pause)
            self.step()

        world.after(world.chance.uniform(0, world.delay), there)


def processes(world, per_second, count, waiting, served=math.inf):
    made = [
        Process(world, Turns(per_second), waiting, world.chance.uniform(-1e6, 1e6), served)
        for _ in range(count)
    ]
    for one in made:
        world.after(world.chance.uniform(0, 0.1), one.step)
    return made


RATES = st.sampled_from([0.5, 1.0, 3.0, 20.0, 47.5, 150.0])


@given(
    seed=st.integers(0, 10**6),
    per_second=RATES,
    count=st.integers(1, 6),
    waiting=st.integers(1, 12),
    delay=st.sampled_from([0.0, 0.002, 0.05]),
    lag=st.sampled_from([0.0, 0.01, 0.3, 2.0]),
)
def test_no_second_has_more_than_a_fifth_beyond_the_rate(
    seed, per_second, count, waiting, delay, lag
):
    world = World(seed, delay, lag)
    processes(world, per_second, count, waiting)
    world.run(max(3.0, 60 / per_second))
    assert world.most_in_a_second() <= max(math.floor(1.2 * per_second), math.ceil(per_second) + 1)


@given(
    seed=st.integers(0, 10**6),
    per_second=RATES,
    count=st.integers(1, 6),
    waiting=st.integers(1, 12),
    delay=st.sampled_from([0.0, 0.002, 0.05]),
    lag=st.sampled_from([0.0, 0.02]),
)
def test_where_many_wait_the_mean_is_the_rate(seed, per_second, count, waiting, delay, lag):
    world = World(seed, delay, lag)
    processes(world, per_second, count, waiting)
    seconds = max(5.0, 100 / per_second)
    world.run(seconds)
    # The first turn cannot come at once, nor the last one just at the end.
    least = 0.97 * per_second * (seconds - 0.5) - 2
    assert least <= len(world.spent) <= 1.03 * per_second * seconds + 1


def test_a_few_statements_a_second_are_enough():
    world = World(seed=1, delay=0.005)
    processes(world, 20.0, 5, 8)
    world.run(10.0)
    assert world.asked <= 10.0 * 20


@pytest.mark.parametrize("served", [0.2, 1.0, 3.0])
def test_processes_that_want_little_take_little_from_the_others(served):
    world = World(seed=2, delay=0.005)
    processes(world, 20.0, 1, 8)
    processes(world, 20.0, 3, 1, served)
    world.run(30.0)
    assert len(world.spent) >= 0.97 * 20 * 30


def test_a_process_that_dies_wastes_a_quarter_of_a_second():
    world = World(seed=3, delay=0.005)
    (first,) = processes(world, 20.0, 1, 8)
    world.run(5.0)
    first.waiting = 0
    gone_at = world.now
    processes(world, 20.0, 1, 8)
    world.run(10.0)
    later = [one for one in world.spent if one > gone_at + 0.2]
    assert later[0] <= gone_at + 0.6


def test_a_pause_of_one_is_kept_by_all_and_nothing_is_made_up_for():
    world = World(seed=4, delay=0.005)
    first, *_ = processes(world, 20.0, 5, 8)
    world.after(5.0, lambda: first.pause(10.0))
    world.run(30.0)
    in_pause = [one for one in world.spent if 5.6 < one < 15.0]
    assert in_pause == []
    assert world.most_in_a_second() <= 24
    after = [one for one in world.spent if 15.0 <= one < 25.0]
    assert len(after) >= 0.97 * 20 * 10 - 1


def test_a_turn_is_never_early_and_one_that_is_too_late_is_lost():
    turns = Turns(10.0)
    turns.answered(100.0, 100.0, 100.0, Answer(0.0, 0.0, 0.0), turns=3, pause=0.0)
    assert turns.step(100.0, 2).wait == 0
    assert turns.step(100.02, 2).wait == pytest.approx(0.08)
    assert turns.step(100.1 + 0.9 * LATE, 2).wait == 0
    assert turns.step(100.2 + 1.1 * LATE, 2).wait is None


def test_a_clock_that_was_set_is_believed_again():
    clock = OtherClock()
    clock.learn(10.0, 10.2, 5.1)
    clock.learn(11.0, 11.02, 6.01)
    assert clock.here(7.0) == pytest.approx(12.01)
    clock.learn(12.0, 12.5, 7.0)  # slower, so it tells less
    assert clock.here(7.0) == pytest.approx(12.01, abs=0.01)
    clock.learn(13.0, 13.01, 3608.0)
    assert clock.here(3609.0) == pytest.approx(14.01)


def test_a_first_answer_that_was_slow_is_not_trusted_before_another_one():
    turns = Turns(10.0)
    turns.answered(100.0, 100.0, 100.3, Answer(0.0, 0.0, 0.0), turns=1, pause=0.0)
    assert turns.step(100.3, 1).look
    turns.answered(100.3, 100.3, 100.31, Answer(0.0, 0.0, 0.3), turns=0, pause=0.0)
    assert not turns.step(100.31, 1).look


def test_processes_that_all_want_much_get_the_same():
    world = World(seed=5, delay=0.005)
    few, many = processes(world, 500.0, 2, 4)
    world.run(0.5)
    many.waiting = 40
    world.run(10.0)
    assert few.had >= 0.3 * many.had
