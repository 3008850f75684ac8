"""`python -m skillopt.testing.server --toy`: the toy models at an address, for the real client to talk to."""

from __future__ import annotations

import re
import sys
import threading

import click

from skillopt.testing.server.exchange import Exchange, Respond
from skillopt.testing.server.faults import rate_limited
from skillopt.testing.server.http import Latency, ModelServer
from skillopt.testing.server.toy import toy_respond

_RANGE = re.compile(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?")


class LatencyType(click.ParamType[Latency]):
    """Seconds, or a range of seconds such as 0.2-0.4."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Latency:
        """The number or the pair."""
        found = _RANGE.fullmatch(str(value).strip())
        if found is None or (found[2] is not None and float(found[2]) < float(found[1])):
            self.fail(f"{value!r} is neither seconds nor a range such as 0.2-0.4", param, ctx)
        return (float(found[1]), float(found[2])) if found[2] else float(found[1])


@click.command()
@click.option("--toy", is_flag=True, required=True, help="Serve the toy models; there are no others.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0: a free one."
)
@click.option("--latency", type=LatencyType(), default=0.0, help="Seconds, or a range such as 0.2-0.4.")
@click.option("--key", default=None, help="Refuse requests that do not bring this key.")
@click.option(
    "--limited", type=click.FloatRange(0, 1), default=0.0, help="Share of requests told to slow down."
)
@click.option("--verbose", is_flag=True, help="One line for each request.")
def main(*, toy: bool, port: int, latency: Latency, key: str | None, limited: float, verbose: bool) -> None:
    """Serve toy models on loopback, in the protocols of OpenAI and Anthropic, until interrupted."""
    del toy  # said for clearness: it is what makes the command mean something
    respond: Respond = rate_limited(toy_respond, share=limited) if limited else toy_respond

    def told(exchange: Exchange) -> None:
        if verbose:
            sys.stderr.write(ascii(str(exchange))[1:-1] + "\n")

    try:
        server = ModelServer(respond, latency_s=latency, key=key, port=port, on_exchange=told)
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be used: {error.strerror}; try --port 0") from error
    with server:
        sys.stdout.write(f"toy models at {server.url}\n")
        sys.stdout.write(f"Next: export OPENAI_BASE_URL={server.url} OPENAI_API_KEY={key or 'any'}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stderr.write(f"{server.n_paid} answers given\n")


if __name__ == "__main__":
    main()
