"""The line to one provider: when to try again, when to wait for each other, and when to give up.

The only layer that retries. A `Retry-After` holds back every call, not only the one that was told; after
many failures in a row the circuit opens, one call at a time tries whether the provider is back, and when it
has not come back within the patience of the rules, all give up with the last reason.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from skillopt.errors import BackendError

T = TypeVar("T")


class TryAgainError(Exception):
    """A failure that may pass. `after_s` is the wait the provider asked for; `is_limit` when it is only that
    too much was asked, which says nothing about the provider's health."""

    def __init__(self, reason: str, *, after_s: float | None = None, is_limit: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s
        self.is_limit = is_limit


@dataclass(frozen=True, slots=True)
class RetryRules:
    """Waits grow from `first_wait_s` by doubling up to `longest_wait_s`, each drawn between half and whole.

    A call is tried for at most `patience_s` seconds of waiting and `attempts` times, rate limits not counted
    among the attempts. `opens_after` failures in a row open the circuit.
    """

    first_wait_s: float = 0.25
    longest_wait_s: float = 20.0
    patience_s: float = 180.0
    attempts: int = 8
    opens_after: int = 12


class Line:
    """One provider as all its callers see it. `clock`, `sleep` and `draw` are those of the machine."""

    def __init__(
        self,
        rules: RetryRules | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.rules = rules or RetryRules()
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._not_before = 0.0
        self._failures_in_a_row = 0
        self._is_probing = False

    async def call(self, send: Callable[[], Awaitable[T]]) -> T:
        """What `send` gives, tried again while it raises TryAgainError.

        Raises BackendError when patience or attempts are used up, and whatever else `send` raises.
        """
        waited, failures, limits = 0.0, 0, 0
        while True:
            waited += await self._turn(self.rules.patience_s - waited)
            probing = self._is_open
            self._is_probing = self._is_probing or probing
            try:
                result = await send()
            except TryAgainError as error:
                failures += not error.is_limit
                limits += error.is_limit
                self._failures_in_a_row += not error.is_limit
                pause = self._pause(error, limits if error.is_limit else failures)
                if failures >= self.rules.attempts or waited + pause > self.rules.patience_s:
                    raise self._gave_up(error, waited) from error
                if error.after_s is not None or probing:
                    self._not_before = max(self._not_before, self._clock() + pause)
                else:
                    await self._sleep(pause)
                    waited += pause
            else:
                self._failures_in_a_row = 0
                return result
            finally:
                if probing:
                    self._is_probing = False

    @property
    def _is_open(self) -> bool:
        return self._failures_in_a_row >= self.rules.opens_after

    async def _turn(self, patience_s: float) -> float:
        """Waits until a call may go out; the seconds waited."""
        waited = 0.0
        while (left := self._not_before - self._clock()) > 0 or (self._is_open and self._is_probing):
            if waited >= patience_s:
                break
            # Everybody held back at once must not come back at once.
            step = left * (1 + 0.1 * self._draw()) if left > 0 else self.rules.first_wait_s
            step = min(step, max(patience_s - waited, 0.001))
            await self._sleep(step)
            waited += step
        return waited

    def _pause(self, error: TryAgainError, times: int) -> float:
        if error.after_s is not None:
            return min(max(error.after_s, 0.0), self.rules.patience_s + 1)
        grown = self.rules.first_wait_s * 2.0 ** min(times - 1, 30)
        return min(grown, self.rules.longest_wait_s) * (0.5 + 0.5 * self._draw())

    def _gave_up(self, error: TryAgainError, waited: float) -> BackendError:
        how = "is limiting us" if error.is_limit else "does not answer"
        return BackendError(
            f"the provider {how}",
            why=f"{error.reason} (after {waited:.0f} s of waiting)",
            next="run the same command again later: it goes on where it stopped and pays for nothing twice",
        )
