"""The built-in users: hidden interests over every modality, satiation, drift, patience and bait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from recsim.catalog import Catalog
from recsim.jit import same_types
from recsim.ledger import Ledger, enter_all
from recsim.streams import Streams
from recsim.users.checks import checked_choice
from recsim.users.choice import BUILT_IN, Browsing, choice_model
from recsim.users.contract import Appeal, ChoiceModel, Response
from recsim.users.interest import kernel
from recsim.users.interest.config import InterestConfig
from recsim.users.interest.market import market_of
from recsim.users.interest.people import InterestState, Population

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

_CHANGING = ("interest", "satiation", "patience", "trust", "pleasure", "day")  # what a slate does not leave as it was
_NO_DELAY, _NO_WISH = np.zeros((0, 0), np.int64), np.zeros((0, 0))


class InterestUsers:
    """Users with hidden interests over every modality of a catalogue.

    Utility of item i for user u, in logits:
        U = scale * sum over modalities M of weight[u, M] * <interest[u, M], taste[i, M]>  +  quality[i]
            - price_sensitivity[u] * price[i]  +  appetite[u] * (novelty[i] - 1/2)
            - satiation_cost * satiation[u, category[i]]  +  trust_scale * trust[u]  -  ageing * log(1 + age[u, i])
    Click, once examined: logistic(click_offset + U + bait_lure * bait[i]).
    Conversion, once clicked: logistic(conversion_offset + slope * U - price term - bait_regret * bait[i]).
    After the slate: interests drift toward clicked items; satiation recovers, then rises with what was examined and
    clicked; patience falls by `boredom` and with the sameness of what was examined, rises with enjoyed clicks, falls
    with clicked bait; without patience the user leaves. Trust moves toward what the clicked items were worth.

    Quality and bait belong to the items but are hidden as well: they are drawn from `seed`, one draw an item; so are
    birthdays, which agents may know, and personas.
    """

    def __init__(self, catalog: Catalog, config: InterestConfig | None = None, *, seed: int = 0) -> None:
        """Users of `catalog`; `seed` decides the items' hidden quality and bait, not the users."""
        self.config = config or InterestConfig()
        self.catalog = catalog
        self._constants = kernel.Constants(*(float(getattr(self.config, name)) for name in kernel.Constants._fields))
        self._market = market_of(catalog, self.config, seed)
        self._population = Population(self.config, self._market, len(catalog.categories), seed)
        self._categories = np.arange(len(catalog.categories))
        self._browsings: dict[int, Browsing | None] = {}
        self._respond_and_enter = same_types(kernel.respond_and_enter)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_respond_and_enter"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _respond_and_enter=same_types(kernel.respond_and_enter))

    @property
    def bait(self) -> Floats:
        """(m,) float32, how much each item promises beyond what it holds, 0 to 1."""
        return self._market.bait

    @property
    def quality(self) -> Floats:
        """(m,) float32, hidden quality of each item, standardised."""
        return self._market.quality

    @property
    def born(self) -> Floats | None:
        """(m,) float32, the day on which each item appears; None where days do not matter."""
        return self._market.born if self.config.has_days else None

    def now(self, state: InterestState) -> Floats:
        """(n,) float32, the day on which each user is."""
        return state.day

    def sample(self, users: Streams) -> InterestState:
        """Hidden state of n new users."""
        return self._population.sample(users)

    def respond(self, state: InterestState, slate: Items, users: Streams) -> tuple[Response, InterestState]:
        """Response to a slate, and the state after it."""
        after = replace(state, **{name: getattr(state, name).copy() for name in _CHANGING})
        return self._answer(after, slate, users), after

    def update(self, state: InterestState, slate: Items, users: Streams, ledger: Ledger) -> Response:
        """`respond` in place, entered in the ledger (see `UpdatesState`)."""
        return self._answer(state, slate, users, ledger)

    def _answer(self, state: InterestState, slate: Items, users: Streams, ledger: Ledger | None = None) -> Response:
        """The response to a slate; `state` becomes the state after it."""
        shape, late, browsing = slate.shape, self.config.conversion_delay > 0, self._browsing(slate.shape[1])
        examined, click, conversion = np.zeros((3, *shape), bool)
        delay = np.zeros(shape, np.int64) if late else _NO_DELAY
        wish = np.zeros(shape) if browsing and browsing.one_choice else _NO_WISH
        leave, seen = np.zeros(len(slate), bool), np.empty(shape, np.uint16)
        answer = kernel.Answer(examined, click, conversion, leave, delay, seen, wish)
        world = state.rows, self._market, self._constants
        if browsing and ledger:
            enter = self._respond_and_enter if state.as_sampled else kernel.respond_and_enter
            enter(slate, *world, browsing, users.moments, answer, *ledger)
        elif browsing:
            kernel.respond(slate, *world, browsing, users.moments, answer)
        else:
            chosen = self.choice.sample(self.appeal(state, slate), slate, users)
            examined[:], click[:] = checked_choice(chosen, slate, f"{type(self.choice).__name__}.sample")
            kernel.settle(slate, *world, users.moments, answer)
            if ledger:
                enter_all(slate, click, conversion, *ledger)
        return Response(click, conversion, answer.leave, examined, delay if late else None)

    def come_back(self, state: InterestState, users: Streams) -> tuple[NDArray[np.bool_], InterestState]:
        """Who comes back, by how much the session pleased; rested, with new patience, and some days later."""
        config = self.config
        wish = config.return_offset + config.return_pleasure * state.pleasure.astype(np.float64)
        back = users.uniform("return") < expit(wish)
        days = -config.return_days * np.log(users.uniform("days away"))
        rest = (1.0 - config.satiation_recovery) ** (days / config.slate_days)
        later = replace(users, session=users.session + np.uint64(1)).at(0)
        return back, replace(
            state,
            satiation=(state.satiation * rest[:, None]).astype(np.float32),
            patience=self._population.patience(later),
            pleasure=np.zeros_like(state.pleasure),
            day=(state.day + days).astype(np.float32),
        )

    def profile(self, state: InterestState) -> Floats:
        """(n, C) float32: the declared favourite category as a one-hot row, zeros for users who declare none."""
        told: Floats = (state.declared[:, None] == self._categories).astype(np.float32)
        return told

    def appeal(self, state: InterestState, items: Items) -> Appeal:
        """Probabilities of click, conversion and satisfaction of `items` (n, c), -1 for none."""
        click, conversion, satisfaction = np.zeros((3, *items.shape))
        kernel.appeal(items, state.rows, self._market, self._constants, click, conversion, satisfaction)
        return Appeal(click, conversion, satisfaction)

    @property
    def choice(self) -> ChoiceModel:
        """How appeal turns into clicks."""
        return self.config.choice

    def _browsing(self, slate_size: int) -> Browsing | None:
        """What kernels read of the choice model, or None where it is not one of the built-in ones."""
        if slate_size not in self._browsings:
            choice = self.choice
            known = type(choice) in BUILT_IN.values()  # a class made from one of these may have rules of its own
            self._browsings[slate_size] = choice.browsing(slate_size) if known else None  # type: ignore[attr-defined]
        return self._browsings[slate_size]


def interest_users(catalog: Catalog, *, seed: int = 0, **options: Any) -> InterestUsers:
    """`InterestUsers` with fields of their config as options.

    Raises:
        ValueError: if there is no such field, or its value makes no sense.
    """
    known = InterestConfig.__dataclass_fields__
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"interest users have no option {unknown[0]!r}; the options are {', '.join(known)}.")
    if "choice" in options:
        options["choice"] = choice_model(options["choice"])
    return InterestUsers(catalog, InterestConfig(**options), seed=seed)
