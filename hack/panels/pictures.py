"""Draw the dashboards and the status page for docs/images: `make pictures`.

Runs the demo and a Prometheus for some minutes, builds the page beside this file and lets Chromium look at it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from tests.e2e.demonstration import demonstration
from tests.prometheus import ROOT, Prometheus, running, scraping

HERE = Path(__file__).parent
BUILD = ROOT / ".cache/panels"
IMAGES = ROOT / "docs/images"
BOARDS = ("exporter", "fleet", "job", "cost", "utilization")
# Selects a job that was interrupted (as often as possible), continued, ended and was billed within the time range.
INTERESTING = """topk(1,
  sagemaker_training_job_secondary_status_transitions{{secondary_status="Interrupted"}}
  and on (job_name) sagemaker_training_job_spot_savings_ratio
  and on (job_name) sagemaker_training_job_final_metric
  and on (job_name) sagemaker_training_job_creation_timestamp_seconds > {since})"""


async def main(minutes: float) -> None:
    """Run everything and write the PNG files."""
    await _built()
    with tempfile.TemporaryDirectory() as name, demonstration(Path(name), "--seed=7", "--jobs=24") as demo:
        rules = f"rule_files: [{ROOT}/deploy/prometheus/sagemaker-recording.rules.yml]"
        scrape = scraping(demo.address, interval="5s", extra=rules)
        async with running(scrape, Path(name)) as prometheus, _served() as page:
            await asyncio.sleep(minutes * 60)
            # The time range begins after the first scrape, as with a Prometheus that has been running for long.
            seconds = round(minutes * 60) - 60
            job = await _interesting(prometheus, seconds)
            for board in BOARDS:
                shutil.copy(ROOT / f"deploy/grafana/sagemaker-{board}.json", BUILD / "dist")
                asked = {
                    "board": f"sagemaker-{board}",
                    "seconds": seconds,
                    "prometheus": prometheus.url,
                    "var-job": job["job_name"],
                }
                await _photograph(f"{page}/index.html?{urlencode(asked)}", f"dashboard-{board}", _height(board))
            await _photograph(demo.url, "status-page", 1000)
            asked = {"account": job["aws_account_id"], "region": job["aws_region"], "name": job["job_name"]}
            await _photograph(f"{demo.url}/job?{urlencode(asked)}", "status-page-job", 1300)


async def _built() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    for source in (*HERE.glob("*.js*"), HERE / "index.html"):
        shutil.copy(source, BUILD)
    await _run("npm", "install", "--no-audit", "--no-fund", "--silent", directory=BUILD)
    await _run("npx", "vite", "build", "--logLevel=error", directory=BUILD)


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_static("/", BUILD / "dist")
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _interesting(prometheus: Prometheus, seconds: float) -> Mapping[str, str]:
    """Return the labels of a job worth a picture."""
    (now,) = await prometheus.query("time()")
    question = INTERESTING.format(since=now.value - seconds)
    found = await prometheus.wait_until(lambda: prometheus.query(question), within=300)
    return found[0].labels


def _height(board: str) -> int:
    """Return the height of the page, with the same layout as in main.jsx."""
    panels = json.loads((ROOT / f"deploy/grafana/sagemaker-{board}.json").read_text())["panels"]
    return 84 + 38 * max(int(place["y"] + place["h"]) for place in (panel["gridPos"] for panel in panels))


async def _photograph(url: str, name: str, height: int) -> None:
    picture = IMAGES / f"{name}.png"
    with tempfile.TemporaryDirectory() as profile:
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars")
        size = (f"--window-size=1600,{height}", "--virtual-time-budget=15000", f"--user-data-dir={profile}")
        await _run("chromium", *flags, *size, f"--screenshot={picture}", url)
    await _run("pngquant", "--force", "--ext=.png", str(picture))


async def _run(program: str, *arguments: str, directory: Path = ROOT) -> None:
    process = await asyncio.create_subprocess_exec(
        *_command(program, arguments), cwd=directory, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode:
        sys.exit(f"{program} failed:\n{errors.decode()}")


def _command(program: str, arguments: Iterable[str]) -> list[str]:
    found = shutil.which(program)
    if found is None:
        sys.exit(f"{program} is not here; hack/panels/README.md says what pictures need")
    return [found, *arguments]


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 15))
