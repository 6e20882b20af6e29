import torch

from specmup.optimizers.steps import by_kind, evaluated, stackable, with_gradients


def test_a_closure_is_evaluated_with_gradients_where_they_are_switched_off():
    weight = torch.ones(3, requires_grad=True)

    def closure():
        loss = weight.sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert evaluated(closure) == 3
    assert torch.equal(weight.grad, torch.ones(3))
    assert evaluated(None) is None


def test_only_parameters_with_a_gradient_are_given():
    moved, still = torch.ones(2), torch.ones(2)
    moved.grad = torch.full((2,), 5.0)
    ((parameter, gradient),) = with_gradients([still, moved])
    assert parameter is moved and gradient is moved.grad


def test_tensors_of_one_shape_and_type_come_together_in_order():
    a, b, c = torch.zeros(2, 3), torch.zeros(3, 2), torch.ones(2, 3)
    kinds = by_kind([a, b, c, a.double()], stackable)
    assert [[id(t) for t in kind] for kind in kinds[:2]] == [[id(a), id(c)], [id(b)]]
    assert len(kinds) == 3
