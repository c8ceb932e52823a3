"""The PyTorch peers compute what stemjax computes, so that their times compare."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.peers import decode_torch, stemgen_torch, train_torch  # noqa: E402
from stemjax.arrays.sampling import draw_step  # noqa: E402
from stemjax.config.decode import BEST  # noqa: E402
from stemjax.config.model import StemGenConfig, TransformerConfig  # noqa: E402
from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY  # noqa: E402
from stemjax.decode.iterate import decode  # noqa: E402
from stemjax.decode.network import StemGenNetwork  # noqa: E402
from stemjax.models import stemgen  # noqa: E402
from stemjax.tasks import stemgen as task_module  # noqa: E402

pytestmark = pytest.mark.slow
V, Q, T, B = 32, 3, 40, 2
CFG = StemGenConfig(
    num_codebooks=Q,
    codebook_size=V,
    transformer=TransformerConfig(width=32, layers=2, heads=2, mlp_hidden=48),
)


@pytest.fixture(scope="module")
def params():
    params = stemgen.init(jax.random.key(0), CFG)
    # the heads of a new model are near zero: louder, or any logits would agree
    params["heads"]["kernel"] = params["heads"]["kernel"] * 20
    return params


@pytest.fixture(scope="module")
def peer(params):
    return stemgen_torch.load(CFG, params, T).eval()


def codes_of(seed, top=V):
    return np.random.default_rng(seed).integers(0, top, (B, Q, T)).astype(np.int32)


def torch_codes(codes):
    return torch.from_numpy(np.array(codes)).long()


def test_it_has_the_same_parameters(params, peer):
    ours = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert sum(p.numel() for p in peer.parameters()) == ours


@pytest.mark.parametrize("level", range(Q))
def test_logits_agree(params, peer, level):
    context, target = codes_of(1), codes_of(2, V + 1)
    instrument = np.array([4, 18], np.int32)
    ours = stemgen.apply_level(
        params,
        CFG,
        context=stemgen.embed_context(params, CFG, context),
        target_codes=jnp.asarray(target),
        condition=stemgen.embed_conditions(params, CFG, {"instrument": instrument}),
        level=level,
        dtype=jnp.float32,
    )
    with torch.inference_mode():
        embedded = peer.embed(torch_codes(context), torch.from_numpy(instrument).long())
        theirs = peer(embedded, torch_codes(target), level).numpy()
    assert np.std(theirs) > 1
    np.testing.assert_allclose(np.asarray(ours), theirs, atol=1e-4)


def test_equal_noise_decodes_equal_codes(params, peer):
    """Their draws are ours: argmax of log p + gumbel is that of p / exp(-gumbel)."""
    config = dataclasses.replace(BEST, steps=(5, 3, 2))
    keys = jax.random.split(jax.random.key(3), B)
    context = codes_of(4)
    instrument = np.array([4, 16], np.int32)

    def draw(level, step, shape):
        draws = [draw_step(key, level, step, T, V) for key in keys]
        exponential = np.concatenate([np.exp(-np.asarray(d.gumbel)) for d in draws])
        assert exponential.shape == shape
        noise = np.concatenate([np.asarray(d.noise) for d in draws])
        return torch.from_numpy(exponential), torch.from_numpy(noise)

    conditions = {"instrument": instrument}
    ours = decode(StemGenNetwork(CFG), params, config, context, conditions, keys)
    theirs = decode_torch.decode(
        peer,
        torch_codes(context),
        torch.from_numpy(instrument).long(),
        steps=config.steps,
        scales=config.scales,
        w_conf=config.w_conf,
        w_causal=config.w_causal,
        w_rand=config.w_rand,
        temperature=config.temperature,
        draw=draw,
    )
    np.testing.assert_array_equal(np.asarray(ours.codes), theirs.numpy())


def test_equal_masks_give_equal_losses_and_gradients(params, monkeypatch):
    """One draw for both; level, masks and dropped sources come from the peer's."""
    run = dataclasses.replace(STEMGEN_TINY, model=CFG)
    codec = dataclasses.replace(CODEC_TINY.model, num_codebooks=Q, codebook_size=V)
    run = dataclasses.replace(
        run, model=dataclasses.replace(CFG, frame_rate=codec.frame_rate)
    )
    torch.manual_seed(0)
    drawn = train_torch.draw(B, Q, T, run.objective, "cpu")
    drawn = drawn._replace(is_dropped=torch.tensor([[True, False], [False, True]]))
    level = jnp.asarray(drawn.level.numpy(), jnp.int32)
    monkeypatch.setattr(task_module, "draw_levels", lambda *_: level)
    monkeypatch.setattr(
        task_module,
        "draw_masks",
        lambda *_, **__: jnp.asarray(drawn.is_masked.numpy()),
    )
    uniform = jax.random.uniform

    def dropping(key, shape=(), **options):
        if shape != (B, 2):
            return uniform(key, shape, **options)
        return jnp.where(jnp.asarray(drawn.is_dropped.numpy()), -1.0, 2.0)

    monkeypatch.setattr(jax.random, "uniform", dropping)
    batch = {
        "context_codes": codes_of(5),
        "target_codes": codes_of(6),
        "instrument": np.array([4, 7], np.int32),
    }
    task = task_module.make(run, codec, batches_are_tokens=True)

    def ours_of(params):
        return task.loss(params, {}, {}, batch, jax.random.key(0))[0]

    ours, gradients = jax.jit(jax.value_and_grad(ours_of))(params)

    model = stemgen_torch.load(CFG, params, T)
    value = train_torch.loss(
        model,
        torch_codes(batch["context_codes"]),
        torch_codes(batch["target_codes"]),
        torch.from_numpy(batch["instrument"]).long(),
        drawn,
    )
    assert float(ours) == pytest.approx(value.item(), abs=1e-5)
    value.backward()
    as_peer = stemgen_torch.load(CFG, gradients, T)
    for (name, theirs), mine in zip(
        model.named_parameters(), as_peer.parameters(), strict=True
    ):
        np.testing.assert_allclose(
            mine.detach().numpy(), theirs.grad.numpy(), atol=1e-5, err_msg=name
        )


def test_a_step_of_the_peer_learns(params):
    torch.manual_seed(0)
    model = stemgen_torch.load(CFG, params, T)
    optim = dataclasses.replace(STEMGEN_TINY.optim, peak_lr=1e-2)
    step = train_torch.make_step(model, STEMGEN_TINY.objective, optim)
    batch = {
        "context_codes": torch_codes(codes_of(7)),
        "target_codes": torch_codes(codes_of(8)),
        "instrument": torch.tensor([4, 7]),
    }
    losses = [step(batch).item() for _ in range(25)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
