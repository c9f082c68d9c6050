"""A fitted model and everything needed to use it again, kept as text files in one folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import lightgbm as lgb

from likelier.activities.codes import Codebook
from likelier.features.definitions import FeatureSet
from likelier.model.calibrate import Calibration
from likelier.model.curves import Curves
from likelier.model.sooner import Sooner
from likelier.model.train import Learnt


@dataclass(frozen=True)
class Model:
    """Reads activities by `codebook`, makes `features` of them, and turns these into probabilities.

    Where it is kept, `calibration` follows what comes true; `as_made` is what it was before that.
    """

    learnt: Learnt
    codebook: Codebook
    features: FeatureSet
    calibration: Calibration
    strength: tuple[float, ...]  # mean absolute contribution of each feature in training
    sooner: tuple[Sooner, ...] = ()  # shorter outcome windows, shortest first
    as_made: Calibration | None = None


def save(model: Model, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, trees in enumerate(model.learnt.forests):
        (folder / f"forest-{place}.txt").write_text(trees.model_to_string())
    (folder / "curves.json").write_text(json.dumps(model.learnt.curves.to_json()))
    (folder / "codebook.json").write_text(json.dumps(model.codebook.to_json()))
    (folder / "features.json").write_text(json.dumps(model.features.to_json()))
    for one in model.sooner:
        (folder / f"trees-{one.days}.txt").write_text(one.trees.model_to_string())
    rest = {
        "forests": len(model.learnt.forests),
        "of_curves": model.learnt.of_curves,
        "calibration": asdict(model.calibration),
        "as_made": asdict(model.as_made) if model.as_made else None,
        "strength": list(model.strength),
        "sooner": [
            {"days": one.days, "level": one.level, "slope": one.slope, "calibration": asdict(one.calibration)}
            for one in model.sooner
        ],
    }
    (folder / "model.json").write_text(json.dumps(rest))


def load(folder: Path) -> Model:
    rest = json.loads((folder / "model.json").read_text())
    forests = [f"forest-{place}.txt" for place in range(rest.get("forests", 0))]
    return Model(
        Learnt(
            tuple(lgb.Booster(model_str=(folder / name).read_text()) for name in forests or ["trees.txt"]),
            Curves.from_json(json.loads((folder / "curves.json").read_text())),
            rest.get("of_curves", 1 / 3),  # models of before there were several forests have one, and so much of curves
        ),
        Codebook.from_json(json.loads((folder / "codebook.json").read_text())),
        FeatureSet.from_json(json.loads((folder / "features.json").read_text())),
        Calibration.from_json(rest["calibration"]),
        tuple(rest["strength"]),
        tuple(
            Sooner(
                one["days"],
                one["level"],
                one["slope"],
                lgb.Booster(model_str=(folder / f"trees-{one['days']}.txt").read_text()),
                Calibration.from_json(one["calibration"]),
            )
            for one in rest.get("sooner", ())  # models of before there were several windows have none
        ),
        Calibration.from_json(rest["as_made"]) if rest.get("as_made") else None,
    )
