"""Build a W&B workspace for mirrored studies: accuracy against data, pretraining loss and k; curves; cost; solutions.

    python -m analysis.wandb_workspace ENTITY/PROJECT            # saves it: needs an account (wandb login)
    python -m analysis.wandb_workspace ENTITY/PROJECT --dry-run  # prints its specification, sends nothing

Needs the extra `workspace` (the package wandb-workspaces); `tracking.workspace=true` does the same at a sweep's start.
The metric names are those of the mirrored runs, of a cell's summary for one:
{"eval/maj1@1": 0.41, "eval/maj1@1_se": 0.014, "data/num_human": 512, "model/pretrain_loss_nats": 1.34, "cost/flops": 2e12}.
W&B shows a mirror: the study folder is the truth, and intervals and claims stand in the report (plot_scaling.py --report).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WORKSPACE_NAME = "Scaling of SFT and RFT"
ACCURACY = "eval/maj1@1"
LOSS, HUMAN, PARAMS = "model/pretrain_loss_nats", "data/num_human", "model/num_params_non_embedding"
SAMPLES_TABLE = "samples"
CURVES = {
    "Training": ("train/step", ("train/loss", "train/lr")),
    "Sampling": ("sample/draws", ("sample/correct_frac", "sample/tokens_per_s")),
}
SHOWN_RUNS = ("cell", "pretrain", "finetune", "sample")  # job types: cells have the scores, the others the curves
LEGEND = "${config:model} ${config:method} k=${config:k} data ${config:data_frac}"


@dataclass(frozen=True)
class Scatter:
    """A scatter plot over runs: summary metrics, or config keys where so marked."""

    title: str
    x: str
    y: str = ACCURACY
    colour: str = LOSS  # shade by this metric
    log_x: bool = False
    x_is_config: bool = False


SECTIONS: dict[str, tuple[Scatter, ...]] = {
    "Accuracy": (
        Scatter("Accuracy against human examples, shade: pretraining loss", HUMAN, log_x=True),
        Scatter("Accuracy against pretraining loss, shade: human examples", LOSS, colour=HUMAN),
        Scatter("Accuracy against k, shade: pretraining loss", "k", log_x=True, x_is_config=True),
        Scatter("Accuracy against distinct paths per question", "data/distinct_per_question", log_x=True),
        Scatter("Accuracy against parameters", PARAMS, log_x=True),
    ),
    "Cost": (
        Scatter("Accuracy against FLOPs, shared stages in full", "cost/flops", log_x=True),
        Scatter("Accuracy against seconds, shared stages in full", "cost/seconds", log_x=True),
    ),
}


def metrics_used() -> set[str]:
    """Every summary metric that the workspace reads."""
    scatters = [scatter for scatters in SECTIONS.values() for scatter in scatters]
    used = {s.y for s in scatters} | {s.colour for s in scatters} | {s.x for s in scatters if not s.x_is_config}
    return used | set(PINNED)


PINNED = (ACCURACY, f"{ACCURACY}_se", HUMAN, LOSS)


def workspace(entity: str, project: str) -> Any:
    """The workspace, not saved. Raises ValueError when wandb-workspaces is not installed."""
    if importlib.util.find_spec("wandb_workspaces") is None:
        raise ValueError('wandb-workspaces is not installed; install the extra: pip install "rft-scaling[workspace]"')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the package's own, about pydantic
        import wandb_workspaces.reports.v2 as reports
        import wandb_workspaces.workspaces as workspaces
        from wandb_workspaces import expr

        sections = [
            workspaces.Section(name=name, is_open=True, panels=[_scatter(reports, scatter) for scatter in scatters])
            for name, scatters in SECTIONS.items()
        ]
        for name, (x, ys) in CURVES.items():  # a line a run: a mean over pretraining and fine-tuning says nothing
            curves = [reports.LinePlot(title=f"{y} against {x}", x=x, y=[y]) for y in ys]
            sections.append(workspaces.Section(name=name, panels=curves))
        solutions = reports.WeavePanelSummaryTable(table_name=SAMPLES_TABLE)
        sections.append(workspaces.Section(name="Sampled solutions", is_open=True, panels=[solutions]))
        runs = workspaces.RunsetSettings(
            filters=[expr.Metric("JobType").isin(list(SHOWN_RUNS))],
            pinned_columns=["config:model", "config:method", *(f"summary:{name}" for name in PINNED)],
        )
        return workspaces.Workspace(
            entity=entity, project=project, name=WORKSPACE_NAME, sections=sections, runset_settings=runs
        )


def _scatter(reports: Any, scatter: Scatter) -> Any:
    axis = reports.Config if scatter.x_is_config else reports.SummaryMetric
    return reports.ScatterPlot(
        title=scatter.title,
        x=axis(scatter.x),
        y=reports.SummaryMetric(scatter.y),
        z=reports.SummaryMetric(scatter.colour),
        log_x=scatter.log_x,
        legend_template=LEGEND,
    )


def specification(made: Any) -> str:
    """What would be sent, as JSON."""
    # The package has no public way to see a view without saving it.
    return str(made._to_model().model_dump_json(by_alias=True, indent=1))


def main(arguments: Sequence[str]) -> int:
    """Command line; exit status 2 for bad input or when saving fails."""
    parser = argparse.ArgumentParser(description="Build a W&B workspace for mirrored studies.")
    parser.add_argument("target", metavar="ENTITY/PROJECT")
    parser.add_argument("--dry-run", action="store_true", help="print the specification and send nothing")
    options = parser.parse_args(arguments)
    entity, _, project = options.target.partition("/")
    if not entity or not project or "/" in project:
        parser.error(f"got {options.target!r}; give ENTITY/PROJECT, e.g. my-team/rft-scaling")
    try:
        made = workspace(entity, project)
        print(specification(made) if options.dry_run else made.save().url)
    except Exception as error:  # W&B raises many kinds (no account, no network, no such project); none is ours to name
        print(f"wandb_workspace: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
