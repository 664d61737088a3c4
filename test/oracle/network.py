# What networks are made of: activations over a dimension, normalisation, contractions, convolution, pooling, losses. Writes network.json.
import math

import torch
import torch.nn.functional as F

from case import Cases, tensor, values

cases = Cases('network')
inf, nan = math.inf, math.nan
x = values(2, 3, 4)
logits = values(5, 4, low=-3, high=3)

for fn in ('softmax', 'log_softmax', 'softmin'):
    for dim in (0, 1, -1):
        cases.add(fn, [x], dim=dim)
    cases.add(fn, [tensor([1000.0, 1001.0, -1000.0])], dim=0, name=f'{fn} does not overflow')
    cases.add(fn, [tensor([[-inf, 0.0], [-inf, -inf], [inf, 0.0], [nan, 0.0]])], dim=1, name=f'{fn} of infinities')
    cases.add(fn, [torch.zeros(3, 0)], dim=1, name=f'{fn} of nothing')
cases.add('softmax', [tensor(2.0)], dim=0, name='softmax of a 0-d tensor')
cases.add('softmax', [logits], dim=1, dtype=torch.float64)
cases.add('glu', [values(3, 4)], dim=-1)
cases.add('normalize', [values(3, 4)], dim=1)
cases.add('cosine_similarity', [values(3, 4), values(3, 4, seed=2)], dim=1)
cases.add('prelu', [values(2, 3, 2), tensor([0.1, 0.2, 0.3])])

# Normalisation.
w, b = values(4, seed=3, low=0.5, high=1.5), values(4, seed=7)
cases.add('layer_norm', [x], normalized_shape=(4,))
cases.add('layer_norm', [x, w, b], lambda a, w, b: F.layer_norm(a, (4,), w, b), args={'normalized_shape': [4]})
cases.add('layer_norm', [x, values(3, 4, seed=3), values(3, 4, seed=9)], lambda a, w, b: F.layer_norm(a, (3, 4), w, b, 1e-3), args={'normalized_shape': [3, 4], 'eps': 1e-3})
cases.add('layer_norm', [x], normalized_shape=(3,), name='layer norm over a shape that is no suffix is refused')
cases.add('layer_norm', [torch.full((2, 4), 7.0)], normalized_shape=(4,), name='layer norm of equal numbers')
cases.add('rms_norm', [x, w], lambda a, w: F.rms_norm(a, (4,), w), args={'normalized_shape': [4]})
cases.add('group_norm', [values(2, 4, 3), values(4, seed=3), values(4, seed=7)], lambda a, w, b: F.group_norm(a, 2, w, b), args={'num_groups': 2})
for shape in ((6, 3), (2, 3, 4), (2, 3, 2, 2)):
    mean, var = values(3, seed=1), values(3, seed=2, low=0.5, high=2)
    for training in (True, False):

        def batch_norm(a, w, b, m, v, training=training):
            m, v = m.detach().clone(), v.detach().clone()
            y = F.batch_norm(a, m, v, w, b, training=training, momentum=0.25, eps=1e-4)
            return y, m, v

        inputs = [values(*shape, seed=4), values(3, seed=5), values(3, seed=6), mean, var]
        name = f'batch_norm {list(shape)} {"training" if training else "evaluation"}, then the running statistics'
        cases.add('batch_norm', inputs, batch_norm, name=name, grad=(0, 1, 2), args={'order': 'x weight bias runningMean runningVar', 'training': training, 'momentum': 0.25, 'eps': 1e-4})
cases.add('batch_norm', [values(1, 3)], lambda a: F.batch_norm(a, None, None, training=True), args={'training': True}, name='batch norm of one value per channel is refused in training')
cases.add('instance_norm', [values(2, 3, 4)])

# Contractions.
for a, b in (((3, 4), (4, 2)), ((4,), (4,)), ((4,), (4, 2)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((3, 0), (0, 2)), ((0, 3), (3, 2))):
    cases.add('matmul', [values(*a), values(*b, seed=3)])
cases.add('matmul', [values(2, 3), values(2, 3)], name='matmul with unequal inner sizes is refused')
cases.add('matmul', [values(2, 3), values(3, 2, dtype=torch.float64)], name='matmul of two dtypes is refused')
cases.add('matmul', [tensor([[1, 2], [3, 4]], torch.int64), tensor([[5, 6], [7, 8]], torch.int64)])
cases.add('mm', [values(2, 3), values(3, 4)])
cases.add('bmm', [values(2, 2, 3), values(2, 3, 4)])
cases.add('mv', [values(2, 3), values(3)])
cases.add('dot', [values(5), values(5, seed=2)])
cases.add('outer', [values(3), values(2, seed=2)])
cases.add('addmm', [values(4), values(2, 3), values(3, 4)], beta=0.5, alpha=2.0)
cases.add('linear', [values(2, 3), values(4, 3, seed=1), values(4, seed=2)])
cases.add('linear', [values(2, 5, 3), values(4, 3, seed=1)])
cases.add('linear', [values(3), values(4, 3, seed=1), values(4, seed=2)])
for equation, *shapes in (
    ('ij,jk->ik', (2, 3), (3, 4)),
    ('bij,bjk->bik', (2, 2, 3), (2, 3, 2)),
    ('ij->ji', (2, 3)),
    ('ii->i', (3, 3)),
    ('ii->', (3, 3)),
    ('ij->', (2, 3)),
    ('ij->j', (2, 3)),
    ('i,j->ij', (2,), (3,)),
    ('i,i->', (4,), (4,)),
    ('ij,ij->ij', (2, 3), (2, 3)),
    ('ij,jk', (2, 3), (3, 2)),
    ('...ij,...jk->...ik', (2, 2, 3), (2, 3, 2)),
    ('bhqd,bhkd->bhqk', (1, 2, 3, 2), (1, 2, 4, 2)),
    ('ij,jk,kl->il', (2, 3), (3, 2), (2, 4)),
    ('ij,j', (2, 3), (3,)),
    ('ij,jk->ik', (2, 3), (2, 3)),
):
    tensors = [values(*shape, seed=3 * n) for n, shape in enumerate(shapes)]
    cases.add('einsum', tensors, lambda *ts, e=equation: torch.einsum(e, *ts), args={'equation': equation})

# Convolution and pooling.
for options in ({}, {'stride': 2}, {'padding': 1}, {'stride': 2, 'padding': 2, 'dilation': 2}):
    cases.add('conv1d', [values(2, 2, 9), values(3, 2, 3, seed=1), values(3, seed=2)], **options)
cases.add('conv1d', [values(1, 4, 6), values(4, 2, 3, seed=1)], groups=2, padding=1)
cases.add('conv1d', [values(1, 2, 6), values(4, 2, 3, seed=1)], padding='same')
for options in ({}, {'stride': 2}, {'padding': 1}, {'stride': (2, 1), 'padding': (0, 2)}, {'dilation': 2, 'padding': 1}, {'dilation': (1, 2)}):
    cases.add('conv2d', [values(1, 2, 5, 6), values(2, 2, 3, 2, seed=1), values(2, seed=2)], **options)
cases.add('conv2d', [values(2, 4, 4, 4), values(6, 2, 3, 3, seed=1), values(6, seed=2)], groups=2, padding=1)
cases.add('conv2d', [values(1, 3, 4, 4), values(6, 1, 3, 3, seed=1)], groups=3, stride=2, padding=1)
cases.add('conv2d', [values(2, 4, 4), values(3, 2, 1, 1, seed=1)], name='conv2d without a batch, kernel of one')
cases.add('conv2d', [values(0, 2, 4, 4), values(3, 2, 3, 3)], name='conv2d of no images')
cases.add('conv2d', [values(1, 2, 2, 2), values(3, 2, 3, 3)], name='a kernel larger than its image is refused')
cases.add('conv2d', [values(1, 3, 4, 4), values(3, 2, 3, 3)], name='conv2d with channels that do not fit is refused')
for options in ({'kernel_size': 2}, {'kernel_size': 3, 'stride': 1}, {'kernel_size': 3, 'stride': 2, 'padding': 1}, {'kernel_size': 2, 'ceil_mode': True}, {'kernel_size': (2, 3)}):
    cases.add('max_pool2d', [values(1, 2, 5, 6)], **options)
    cases.add('avg_pool2d', [values(1, 2, 5, 6)], **options)
cases.add('max_pool2d', [values(1, 1, 5, 5)], kernel_size=2, dilation=2)
cases.add('max_pool2d', [torch.ones(1, 1, 2, 2)], kernel_size=2, name='max pooling gives a tie to the first')
cases.add('max_pool2d', [tensor([[[[1.0, nan], [2.0, 3.0]]]])], kernel_size=2, name='max pooling gives NaN')
cases.add('max_pool2d', [torch.full((1, 1, 2, 2), -5.0)], kernel_size=2, padding=1, name='max pooling does not take its padding for a value')
cases.add('avg_pool2d', [values(1, 1, 4, 4)], kernel_size=3, padding=1, count_include_pad=False)
cases.add('max_pool1d', [values(2, 2, 7)], kernel_size=3, stride=2)
cases.add('avg_pool1d', [values(2, 2, 7)], kernel_size=3, stride=2, padding=1)
cases.add('adaptive_avg_pool2d', [values(1, 2, 5, 6)], output_size=(2, 3))
cases.add('adaptive_avg_pool2d', [values(1, 2, 5, 6)], output_size=1)

# Tables.
table, ids = values(5, 3), tensor([[1, 4], [1, 0]], torch.int64)
cases.add('embedding', [ids, table], name='embedding adds up the gradients of a row used twice')
cases.add('embedding', [ids, table], padding_idx=1, name='embedding has no gradient at its padding')
cases.add('embedding', [tensor([5], torch.int64), table], name='embedding of an index out of range is refused')
cases.add('one_hot', [tensor([2, 0, 1], torch.int64)])
cases.add('one_hot', [tensor([[2, 0], [1, 1]], torch.int64)], num_classes=4)
cases.add('one_hot', [tensor([3], torch.int64)], num_classes=3, name='one hot of a class out of range is refused')

# Losses.
target = tensor([1, 3, 0, 2, 3], torch.int64)
ignoring = tensor([1, -100, 0, -100, 3], torch.int64)
weight = tensor([0.5, 1.0, 2.0, 0.25])
soft = F.softmax(values(5, 4, seed=8), 1)
for reduction in ('mean', 'sum', 'none'):
    cases.add('cross_entropy', [logits, target], reduction=reduction)
    cases.add('cross_entropy', [logits, ignoring], reduction=reduction, name=f'cross entropy ignores targets, {reduction}')
    cases.add('cross_entropy', [logits, target], reduction=reduction, label_smoothing=0.1)
    cases.add('cross_entropy', [logits, soft], reduction=reduction, grad=(0,), name=f'cross entropy of probabilities, {reduction}')
    cases.add('cross_entropy', [logits, ignoring, weight], lambda a, t, w, r=reduction: F.cross_entropy(a, t, w, reduction=r, label_smoothing=0.2), grad=(0,), args={'order': 'input target weight', 'reduction': reduction, 'label_smoothing': 0.2}, name=f'cross entropy with weights, smoothing and ignored targets, {reduction}')
    cases.add('nll_loss', [F.log_softmax(logits, 1), target, weight], lambda a, t, w, r=reduction: F.nll_loss(a, t, w, reduction=r), grad=(0,), args={'order': 'input target weight', 'reduction': reduction})
    for fn in ('mse_loss', 'l1_loss', 'smooth_l1_loss', 'huber_loss'):
        cases.add(fn, [values(3, 4), values(3, 4, seed=2)], reduction=reduction)
    probabilities, labels = values(3, 2, low=0.05, high=0.95), tensor([[0.0, 1.0], [1.0, 0.25], [0.5, 0.0]])
    cases.add('binary_cross_entropy', [probabilities, labels], reduction=reduction)
    cases.add('binary_cross_entropy_with_logits', [values(3, 2), labels], reduction=reduction)
    cases.add('kl_div', [F.log_softmax(logits, 1), soft], reduction=reduction, grad=(0,))
cases.add('kl_div', [F.log_softmax(logits, 1), soft], reduction='batchmean', grad=(0,))
cases.add('cross_entropy', [values(2, 3, 2), tensor([[0, 2], [1, 1]], torch.int64)], name='cross entropy of sequences')
cases.add('cross_entropy', [values(3), tensor(2, torch.int64)], name='cross entropy without a batch')
cases.add('cross_entropy', [logits, tensor([2, 2, 0, 2, 3], torch.int64)], ignore_index=2)
cases.add('cross_entropy', [logits, tensor([-100] * 5, torch.int64)], name='cross entropy with every target ignored')
cases.add('cross_entropy', [tensor([[1000.0, 0.0], [-1000.0, 0.0]]), tensor([1, 1], torch.int64)], name='cross entropy does not overflow')
cases.add('cross_entropy', [tensor([[-inf, 0.0]]), tensor([1], torch.int64)], name='cross entropy with a masked class')
cases.add('cross_entropy', [logits, tensor([1, 3, 0, 2, 4], torch.int64)], name='a class out of range is refused')
cases.add('nll_loss', [logits, tensor([1, -100, 0, 2, 3], torch.int64)])
cases.add('binary_cross_entropy', [tensor([0.0, 1.0, 1.0, 0.0]), tensor([0.0, 1.0, 0.0, 1.0])], name='binary cross entropy clamps its logarithms')
cases.add('binary_cross_entropy', [tensor([1.5]), tensor([1.0])], name='binary cross entropy of no probability is refused')
cases.add('binary_cross_entropy_with_logits', [tensor([-200.0, 200.0, 0.0]), tensor([1.0, 0.0, 0.5])], name='binary cross entropy with logits does not overflow')
cases.add('binary_cross_entropy_with_logits', [values(4, 3), tensor([[1.0, 0.0, 1.0]] * 4), tensor([1.0, 2.0, 3.0])], lambda a, t, p: F.binary_cross_entropy_with_logits(a, t, pos_weight=p), grad=(0,), args={'order': 'input target posWeight'})
cases.add('mse_loss', [torch.zeros(0), torch.zeros(0)], name='the mean loss of nothing is NaN')

# Attention.
q, k, v = values(1, 2, 3, 4), values(1, 2, 5, 4, seed=1), values(1, 2, 5, 4, seed=2)
cases.add('scaled_dot_product_attention', [q, k, v])
cases.add('scaled_dot_product_attention', [q, q, q], is_causal=True)
cases.add('scaled_dot_product_attention', [q, k, v, tensor([[True, True, False, True, False]] * 3, torch.bool)], name='attention with a mask')

cases.write()
