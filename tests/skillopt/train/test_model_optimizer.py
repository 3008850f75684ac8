"""The optimizer that asks a model: what it asks, what it makes of replies, and what it does without them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from skillopt.core.edit import Edit, EditOutcome, Patch
from skillopt.core.gate import Strict
from skillopt.core.rollout import Rollout, Score, Trajectory
from skillopt.core.skill import Skill
from skillopt.core.task import Check, Split, Task
from skillopt.errors import BackendError, ConfigError, ReplyError
from skillopt.protocols import Comparison, ModelRequest, OptimizerContext, TrainRollout
from skillopt.testing import ListEnvironment, RuleAgent, ScriptedModel
from skillopt.train.config import TrainConfig
from skillopt.train.model_optimizer import ModelOptimizer, OptimizerSettings
from skillopt.train.modes import UpdateMode
from skillopt.train.trainer import Trainer

pytestmark = pytest.mark.anyio

SKILL = Skill("---\nname: shop\n---\n# Shop\n\n- be kind\n")
CONTEXT = OptimizerContext(SKILL, 0)


def rollout(task_id: str, hard: float) -> TrainRollout:
    task = Task(task_id, f"prompt of {task_id}", Split.TRAIN, (Check("contains", "x"),))
    return TrainRollout(
        task, Rollout(task_id, SKILL.sha, Trajectory((), "an answer"), Score(hard, hard, "why"))
    )


ROLLOUTS = [rollout(f"t{i}", float(i % 3 == 0)) for i in range(9)]


def edit(text: str, **more: object) -> dict[str, object]:
    return {"op": "append", "anchor": "", "text": text, "rationale": "r", "evidence": ["t1"], **more}


def edits(*rows: dict[str, object]) -> str:
    return json.dumps({"reasoning": "because", "edits": rows})


def answering(**by_stage: str | Callable[[ModelRequest], str]) -> ScriptedModel:
    def script(request: ModelRequest) -> str:
        answer = by_stage[request.stage]
        return answer if isinstance(answer, str) else answer(request)

    return ScriptedModel(script)


def optimizer(model: ScriptedModel, **settings: object) -> ModelOptimizer:
    return ModelOptimizer(model, OptimizerSettings(**{"minibatch_size": 4, **settings}))  # type: ignore[arg-type]


# --- reflect


async def test_failures_and_successes_go_apart_in_minibatches() -> None:
    model = answering(reflect=edits(edit("- look it up")))
    patches = await optimizer(model).reflect(ROLLOUTS, CONTEXT)
    seen = [(re.findall(r"^### task (\S+)", r.user, re.M), "failed" in r.user) for r in model.requests]
    assert sorted(len(ids) for ids, _ in seen) == [2, 3, 4]
    for ids, failed in seen:
        assert all((int(i[1:]) % 3 != 0) == failed for i in ids)
    assert sorted(i for ids, _ in seen for i in ids) == [f"t{i}" for i in range(9)]
    assert [p.origin for p in patches] == ["failures", "failures", "successes"]
    for request in model.requests:
        assert request.system.startswith("stage: reflect\n")
        assert f"<skill>\n{SKILL.text}\n</skill>" in request.user
        assert '"edits"' in request.user


async def test_the_same_seed_cuts_the_same_minibatches() -> None:
    async def asked(seed: int) -> list[str]:
        model = answering(reflect=edits())
        await optimizer(model, seed=seed).reflect(ROLLOUTS, CONTEXT)
        return [request.user for request in model.requests]

    assert await asked(1) == await asked(1)
    assert await asked(1) != await asked(2)


async def test_at_most_the_limit_of_edits_is_taken_from_a_reply() -> None:
    model = answering(reflect=edits(*(edit(f"- {i}") for i in range(9))))
    patches = await optimizer(model, max_edits=2).reflect(ROLLOUTS[:1], CONTEXT)
    assert [len(p.edits) for p in patches] == [2]


async def test_one_unusable_minibatch_is_left_out_and_all_of_them_are_an_error() -> None:
    def some(request: ModelRequest) -> str:
        return "sorry" if "### task t1\n" in request.user else edits(edit("- a"))

    patches = await optimizer(answering(reflect=some)).reflect(ROLLOUTS, CONTEXT)
    assert len(patches) == 2
    with pytest.raises(ReplyError):
        await optimizer(answering(reflect="sorry")).reflect(ROLLOUTS, CONTEXT)


async def test_an_outage_is_raised_and_never_taken_for_no_edits() -> None:
    model = ScriptedModel([BackendError("down")] * 3)
    with pytest.raises(BackendError, match="down"):
        await optimizer(model).reflect(ROLLOUTS, CONTEXT)


@pytest.mark.parametrize(
    "reply",
    [
        '{"edits": 1}',
        '{"edits": [{"op": "rm"}]}',
        '{"edits": ["x"]}',
        '{"edits": [{"op": "append", "text": 1}]}',
    ],
)
async def test_a_reply_of_another_shape_is_told_so_once(reply: str) -> None:
    model = ScriptedModel([reply, edits(edit("- better"))])
    (patch,) = await optimizer(model).reflect(ROLLOUTS[:1], CONTEXT)
    assert patch.edits[0].text == "- better"
    assert "could not be used" in model.requests[1].user
    assert model.requests[1].attempt == 1


# --- aggregate and select


def patch(text: str, origin: str = "failures", evidence: int = 1) -> Patch:
    return Patch((Edit("append", text, evidence=tuple(f"t{i}" for i in range(evidence))),), "r", origin)  # type: ignore[arg-type]


async def test_one_patch_passes_untouched() -> None:
    assert (await optimizer(answering()).aggregate([patch("- a")], CONTEXT)).edits == patch("- a").edits
    assert await optimizer(answering()).aggregate([], CONTEXT) == Patch()


async def test_patches_merge_in_a_tree_failures_first() -> None:
    model = answering(aggregate=lambda r: edits(edit(f"- merged {len(re.findall('^patch ', r.user, re.M))}")))
    patches = [patch(f"- f{i}") for i in range(5)] + [patch("- s", "successes")]
    merged = await optimizer(model, merge_batch_size=2).aggregate(patches, CONTEXT)
    # Five failures: 2 + 2 + 1, then 2 + 1, then 2; then the one success beside them.
    assert len(model.requests) == 2 + 1 + 1 + 1
    assert model.requests[-1].user.index("from failures") < model.requests[-1].user.index("from successes")
    assert [e.text for e in merged.edits] == ["- merged 2"]


async def test_patches_that_cannot_be_merged_are_joined_and_it_is_said() -> None:
    merged = await optimizer(answering(aggregate="no")).aggregate(
        [patch("- a"), patch("- a"), patch("- b")], CONTEXT
    )
    assert [e.text for e in merged.edits] == ["- a", "- b"]
    assert "joined unmerged" in merged.reasoning


async def test_edits_over_the_budget_are_ranked() -> None:
    many = Patch(tuple(Edit("append", f"- {i}", evidence=("t",) * i) for i in range(5)))
    model = answering(select='{"keep": [3, 1, 1, 4]}')
    kept = await optimizer(model).select(many, CONTEXT, budget=2)
    assert [e.text for e in kept.edits] == ["- 3", "- 1"]
    assert "budget: 2" in model.requests[0].user
    assert "[4] " in model.requests[0].user
    best = await optimizer(answering(select='{"keep": [9]}')).select(many, CONTEXT, budget=2)
    assert [e.text for e in best.edits] == ["- 3", "- 4"]
    assert await optimizer(answering()).select(many, CONTEXT, budget=5) == many


async def test_an_autonomous_budget_is_the_models_choice_within_the_given_one() -> None:
    many = Patch(tuple(Edit("append", f"- {i}") for i in range(5)))
    model = answering(edit_budget='{"edits": 99}', select='{"keep": [0, 1, 2]}')
    assert len((await optimizer(model, autonomous=True).select(many, CONTEXT, budget=3)).edits) == 3
    model = answering(edit_budget='{"edits": 1}', select='{"keep": [4, 1]}')
    kept = await optimizer(model, autonomous=True).select(many, CONTEXT, budget=3)
    assert [e.text for e in kept.edits] == ["- 4"]


# --- update


@pytest.mark.parametrize("mode", ["rewrite_from_suggestions", "full_rewrite"])
async def test_a_rewrite_keeps_front_matter_and_regions(mode: UpdateMode) -> None:
    region = "<!-- SLOW_UPDATE_START -->\nslow\n<!-- SLOW_UPDATE_END -->\n"
    skill = Skill(SKILL.text + region)
    new = f"---\nname: evil\n---\n# Shop\n\n- be quick\n{region}"
    suggestions = (
        '{"reasoning": "r", "suggestions": [{"title": "t", "instruction": "be quick", "rationale": "r"}]}'
    )
    full = json.dumps({"reasoning": "r", "skill": new})
    model = answering(
        reflect=suggestions if mode == "rewrite_from_suggestions" else full,
        rewrite=json.dumps({"skill": new}),
    )
    one = optimizer(model, update_mode=mode)
    (found,) = await one.reflect(ROLLOUTS[:1], OptimizerContext(skill, 0))
    candidate = await one.update(skill, found)
    assert candidate.text == skill.text.replace("be kind", "be quick")
    assert [r.outcome for r in candidate.reports] == [EditOutcome.APPLIED]
    spoilt = await optimizer(
        answering(rewrite=json.dumps({"skill": "# Shop\n"})), update_mode="rewrite_from_suggestions"
    ).update(skill, found)
    assert spoilt.text == skill.text
    assert [r.outcome for r in spoilt.reports] == [EditOutcome.PROTECTED]


@pytest.mark.parametrize(
    "script",
    [["prose", "and again"], [BackendError("HTTP 400", why="the prompt is too long", is_permanent=True)]],
    ids=["prose", "refused"],
)
async def test_suggestions_that_cannot_be_written_leave_the_skill(script: list[str | BackendError]) -> None:
    one = optimizer(ScriptedModel(script), update_mode="rewrite_from_suggestions")
    candidate = await one.update(SKILL, Patch((Edit("append", "be quick"),)))
    assert (candidate.text, candidate.applied) == (SKILL.text, ())
    assert [report.outcome for report in candidate.reports] == [EditOutcome.NOT_WRITTEN]
    down = optimizer(ScriptedModel([BackendError("down")]), update_mode="rewrite_from_suggestions")
    with pytest.raises(BackendError, match="down"):
        await down.update(SKILL, Patch((Edit("append", "be quick"),)))


async def test_lapses_go_to_an_appendix_that_stays_small() -> None:
    def notes(request: ModelRequest) -> str:
        lines = ["kept"] if "too many" in request.system else ["one", "two", "three"]
        return json.dumps({"notes": lines})

    model = answering(reflect=edits(edit("- a")), appendix=notes)
    one = optimizer(model, skill_aware=True, appendix_notes=2)
    patches = await one.reflect(ROLLOUTS[1:2], CONTEXT)
    merged = await one.aggregate(patches, CONTEXT)
    chosen = await one.select(merged, CONTEXT, budget=1)
    candidate = await one.update(SKILL, chosen)
    region = Skill(candidate.text).region("APPENDIX")
    assert region is not None
    assert candidate.text[region.inner_start : region.inner_end].strip() == "- kept"
    assert "- a" in candidate.text[: region.start]


# --- the end of an epoch


async def test_guidance_takes_the_place_of_the_guidance_before() -> None:
    pair = Comparison(ROLLOUTS[0].task, ROLLOUTS[1].rollout, ROLLOUTS[0].rollout)
    model = ScriptedModel(['{"guidance": "first"}', '{"guidance": "second"}'])
    one = optimizer(model)
    candidate = await one.slow_update([pair], CONTEXT)
    assert candidate is not None
    first = Skill(candidate.text)
    second = await one.slow_update([pair], OptimizerContext(first, 0))
    assert second is not None
    assert first.text == SKILL.text + "\n<!-- SLOW_UPDATE_START -->\nfirst\n<!-- SLOW_UPDATE_END -->\n"
    assert second.text == first.text.replace("first", "second")
    assert "outcome: improved" in model.requests[0].user


@pytest.mark.parametrize(
    "script",
    [["prose", "and again"], [BackendError("HTTP 400", why="the prompt is too long", is_permanent=True)]],
    ids=["prose", "refused"],
)
async def test_guidance_that_cannot_be_had_leaves_the_old_one(script: list[str | BackendError]) -> None:
    pair = Comparison(ROLLOUTS[0].task, ROLLOUTS[1].rollout, ROLLOUTS[0].rollout)
    assert await optimizer(ScriptedModel(script)).slow_update([pair], CONTEXT) is None


async def test_an_outage_at_the_end_of_an_epoch_stops_the_run() -> None:
    pair = Comparison(ROLLOUTS[0].task, ROLLOUTS[1].rollout, ROLLOUTS[0].rollout)
    with pytest.raises(BackendError, match="down"):
        await optimizer(ScriptedModel([BackendError("down")])).slow_update([pair], CONTEXT)


@pytest.mark.parametrize("mode", ["full_rewrite", "rewrite_from_suggestions"])
@pytest.mark.parametrize(
    ("seed", "written", "text"),
    [
        ("---\nname: x\n---", "# Title\n\nbody", "---\nname: x\n---\n# Title\n\nbody\n"),
        ("---\r\nname: x\r\n---", "# Title\nbody", "---\r\nname: x\r\n---\r\n# Title\r\nbody\r\n"),
        ("---\nname: x\n---\n", "---\nname: y\n---\n# Title", "---\nname: x\n---\n# Title\n"),
        ("# Old\n", "---\na: 1\n---\n---\nb: 2\n---\n# Title", "# Old\n"),
    ],
)
async def test_a_skill_written_anew_keeps_its_front_matter(
    mode: UpdateMode, seed: str, written: str, text: str
) -> None:
    skill = Skill(seed)
    one = optimizer(answering(rewrite=json.dumps({"skill": written})), update_mode=mode)
    candidate = await one.update(skill, Patch((Edit("replace", written),)))
    assert candidate.text == text
    assert Skill(candidate.text).metadata() == skill.metadata()


@pytest.mark.parametrize(
    "settings", [{"minibatch_size": 0}, {"merge_batch_size": 1}, {"update_mode": "dream"}], ids=str
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        OptimizerSettings(**settings)  # type: ignore[arg-type]


# --- in the loop


async def test_a_whole_run_learns_compares_epochs_and_never_shows_a_held_out_task() -> None:
    topics = ("tea", "milk", "rice", "salt")
    tasks = [
        Task(
            f"{split}-{topic}",
            f"where is the {topic} ({split})",
            split,
            (Check("contains", f"aisle {topic}"),),
        )
        for split in Split
        for topic in topics
    ]

    def reflect(request: ModelRequest) -> str:
        missed = [
            t for t in topics if f"where is the {t}" in request.user and f"aisle {t}`" not in request.user
        ]
        return edits(*(edit(f"- when asked about {t}, say `aisle {t}`") for t in missed[:1]))

    model = answering(
        reflect=reflect,
        aggregate=lambda r: edits(
            *(json.loads(b)["edits"][0] for b in re.findall(r"^(\{.*\})$", r.user, re.M))
        ),
        select='{"keep": [0]}',
        slow_update='{"guidance": "- when asked about salt, say `aisle salt`"}',
        meta_skill='{"note": "rules by topic help"}',
    )
    one = optimizer(model, minibatch_size=2)
    trainer = Trainer(
        ListEnvironment(tasks),
        RuleAgent(),
        one,
        Strict(spares_perfect=True),
        skill=SKILL,
        epoch_optimizer=one,
        config=TrainConfig(epochs=3, batch_size=2, measures_seed=True),
    )
    result = await trainer.fit()
    (seed, best) = await trainer.test(result, SKILL, result.best)
    assert (seed.mean, best.mean) == (0.0, 1.0)
    asked = "\n".join(request.user for request in model.requests)
    assert "selection" not in asked.replace("held-out", "")
    assert "(test)" not in asked
    assert result.state.meta_skill == "rules by topic help"
    assert any("rules by topic help" in r.user for r in model.requests if r.stage == "reflect")
    assert [record.epoch for record in result.state.epochs] == [0, 1, 2]
    assert result.state.epochs[1].outcomes
    slow = [record.slow_update for record in result.state.epochs if record.slow_update]
    assert slow
    again = await Trainer(
        ListEnvironment(tasks),
        RuleAgent(),
        optimizer(model, minibatch_size=2),
        Strict(spares_perfect=True),
        skill=SKILL,
        epoch_optimizer=one,
        config=TrainConfig(epochs=3, batch_size=2, measures_seed=True, workers=1),
    ).fit()
    assert again.state.to_json() == result.state.to_json()
