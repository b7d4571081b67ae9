"""Items and instants in (Parquet), a Feast repository or seconds out: what one would build without RegTape.

It runs in an environment of its own (requirements.txt, set_up.sh) and is started by `regtape eval speed features --feast VENV`:

    prepare FOLDER ITEMS ONLINE      a repository with one view of 50 floats a symbol; ONLINE: sqlite, or redis' host:port
    historical FOLDER INSTANTS OFFLINE   get_historical_features over the instants; OFFLINE: duckdb, or file, the default
    pandas ITEMS INSTANTS            merge_asof over rolling windows of the items

Feast computes no windows: its 50 features lie ready-made at each item, and the join is all that is timed. The pandas recipe
computes 48 (eight of each of six windows) where items are and looks the last one up, so unlike ours a window does not empty
while nothing happens. Neither knows of corrections, of retractions or of the moment of a score.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FEATURES = [f"feature_{number:02}" for number in range(50)]
WINDOWS = ("1min", "5min", "30min", "2h", "1D", "5D")


def prepare(folder: Path, items: Path, online: str) -> None:
    """Write the repository, put the newest row of every symbol online."""
    store = open_store(folder, online=online)
    seen = pd.read_parquet(items)[["symbol", "known_at"]]
    draw = np.random.default_rng(0)
    values = pd.DataFrame(draw.normal(size=(len(seen), len(FEATURES))), columns=FEATURES)
    pd.concat([seen, values], axis=1).to_parquet(folder / "features.parquet")
    store.apply(definitions(folder))
    store.materialize(seen.known_at.min(), seen.known_at.max() + pd.Timedelta("1s"))


def open_store(folder: Path, *, online: str = "sqlite", offline: str = "file") -> Any:
    """The store of a folder; its settings are Feast's own defaults but for where things lie."""
    from feast import FeatureStore

    lines = [
        "project: sentiment",
        "provider: local",
        "registry: registry.db",
        f"offline_store: {{type: {offline}}}",
        "online_store: {type: sqlite, path: online.db}"
        if online == "sqlite"
        else f"online_store: {{type: redis, connection_string: '{online}'}}",
        "entity_key_serialization_version: 3",
    ]
    (folder / "feature_store.yaml").write_text("\n".join(lines) + "\n")
    return FeatureStore(folder)


def definitions(folder: Path) -> list[Any]:
    """One entity, one view, one service."""
    from feast import Entity, FeatureService, FeatureView, Field, FileSource
    from feast.types import Float64
    from feast.value_type import ValueType

    symbol = Entity(name="symbol", join_keys=["symbol"], value_type=ValueType.STRING)
    view = FeatureView(
        name="sentiment",
        entities=[symbol],
        schema=[Field(name=name, dtype=Float64) for name in FEATURES],
        source=FileSource(
            path=str(folder.resolve() / "features.parquet"), timestamp_field="known_at"
        ),
    )
    return [symbol, view, FeatureService(name="all", features=[view])]


def historical(folder: Path, instants: Path, offline: str) -> float:
    """Seconds of a point-in-time join of all features to the instants."""
    store = open_store(folder, offline=offline)
    wanted = pd.read_parquet(instants).rename(columns={"as_of": "event_timestamp"})
    names = [f"sentiment:{name}" for name in FEATURES]
    began = time.perf_counter()
    found = store.get_historical_features(entity_df=wanted, features=names).to_df()
    seconds = time.perf_counter() - began
    assert len(found) == len(wanted)
    return seconds


def asof_rolling(items: Path, instants: Path) -> float:
    """Seconds of rolling windows over the items, and their join to the instants."""
    seen, wanted = pd.read_parquet(items), pd.read_parquet(instants)
    began = time.perf_counter()
    seen = seen.sort_values("known_at")
    tables = [rolled(part) for _, part in seen.groupby("symbol")]
    features = pd.concat(tables).sort_values("known_at")
    found = pd.merge_asof(
        wanted.sort_values("as_of"), features, left_on="as_of", right_on="known_at", by="symbol"
    )
    seconds = time.perf_counter() - began
    assert len(found) == len(wanted)
    return seconds


def rolled(items: Any) -> Any:
    """Eight features of each window, at each item of one symbol."""
    by_time = items.set_index("known_at")
    columns = {"symbol": by_time.symbol}
    for width in WINDOWS:
        window = by_time.sentiment.rolling(width)
        weighted = (by_time.sentiment * by_time.relevance).rolling(width).sum()
        columns |= {
            f"volume_{width}": window.count(),
            f"mean_{width}": window.mean(),
            f"std_{width}": window.std(),
            f"positive_{width}": (by_time.sentiment > 0.3).rolling(width).mean(),
            f"negative_{width}": (by_time.sentiment < -0.3).rolling(width).mean(),
            f"confidence_{width}": by_time.confidence.rolling(width).mean(),
            f"novelty_{width}": by_time.novelty.rolling(width).mean(),
            f"weighted_{width}": weighted / by_time.relevance.rolling(width).sum(),
        }
    return pd.DataFrame(columns).reset_index()


def main(command: str, *words: str) -> None:
    """Print what was measured as the last line."""
    from importlib.metadata import version

    seconds = None
    if command == "prepare":
        prepare(Path(words[0]), Path(words[1]), words[2])
    elif command == "historical":
        seconds = historical(Path(words[0]), Path(words[1]), words[2])
    elif command == "pandas":
        seconds = asof_rolling(Path(words[0]), Path(words[1]))
    else:
        raise SystemExit(__doc__)
    versions = {name: version(name) for name in ("feast", "pandas")}
    print(json.dumps({"seconds": seconds, "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
