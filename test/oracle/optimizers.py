# How optimisers move two parameters in 20 steps, for each of their options; schedules; gradient clipping. Writes optimizers.json.
#
# { torch, start, cases, schedules, clips }.
#
# cases: { name, optimizer, options, steps }. Parameters `w` [2,3] and `b` [3] begin as in `start` and are float32. The gradient at step k
# (from 1) is that of `loss(k)` below: sum(w^2 * c) + sum(sin(b * k)) with c[i] = (i + 1) / 8, row-major. `steps` holds w and b, flat and
# joined, after each step: 20 lists of 9 numbers. With `groups`, b has the options of the second group. `maximize`, `foreach` ... are
# left at their defaults unless named.
#
# schedules: { name, options, rates }: the learning rate before each of 12 steps, starting from 0.1.
# clips: { name, args, gradients, total, clipped }: three gradients, their norm as returned, and what they became.
import json
import os

import torch

from case import VERSION, camel, number, tensor, tensor_data, values

W, B = values(2, 3), values(3, seed=5)
C = ((torch.arange(6) + 1) / 8).reshape(2, 3)


def loss(w, b, step):
    return (w * w * C).sum() + (b * step).sin().sum()


def trajectory(kind, options, second=None):
    w, b = W.clone().requires_grad_(), B.clone().requires_grad_()
    groups = [w, b] if second is None else [{'params': [w]}, {'params': [b], **second}]
    optimizer = getattr(torch.optim, kind)(groups, **options)
    steps = []
    for step in range(1, 21):
        optimizer.zero_grad()
        loss(w, b, step).backward()
        optimizer.step()
        steps.append([number(x, torch.float32) for x in torch.cat([w.detach().reshape(-1), b.detach()]).tolist()])
    return steps


runs = [
    ('SGD', {'lr': 0.1}),
    ('SGD', {'lr': 0.1, 'momentum': 0.9}),
    ('SGD', {'lr': 0.1, 'momentum': 0.9, 'dampening': 0.3}),
    ('SGD', {'lr': 0.1, 'momentum': 0.9, 'nesterov': True}),
    ('SGD', {'lr': 0.1, 'weight_decay': 0.05}),
    ('SGD', {'lr': 0.05, 'momentum': 0.8, 'weight_decay': 0.1, 'nesterov': True}),
    ('SGD', {'lr': 0.05, 'momentum': 0.8, 'maximize': True}),
    ('SGD', {}),
    ('Adam', {'lr': 0.05}),
    ('Adam', {}),
    ('Adam', {'lr': 0.05, 'betas': (0.8, 0.95), 'eps': 1e-4}),
    ('Adam', {'lr': 0.05, 'weight_decay': 0.1}),
    ('Adam', {'lr': 0.05, 'amsgrad': True}),
    ('Adam', {'lr': 0.05, 'maximize': True}),
    ('AdamW', {'lr': 0.05}),
    ('AdamW', {'lr': 0.05, 'weight_decay': 0.2, 'amsgrad': True}),
    ('AdamW', {'lr': 0.05, 'weight_decay': 0}),
    ('RMSprop', {'lr': 0.01}),
    ('RMSprop', {'lr': 0.01, 'momentum': 0.9, 'centered': True, 'weight_decay': 0.1}),
    ('Adagrad', {'lr': 0.1, 'lr_decay': 0.01}),
]
grouped = [('SGD', {'lr': 0.1, 'momentum': 0.9}, {'lr': 0.01, 'momentum': 0}), ('Adam', {'lr': 0.05}, {'lr': 0.01, 'weight_decay': 0.1})]


def told(options):
    return {camel(k): list(v) if isinstance(v, tuple) else v for k, v in options.items()}


def title(kind, options):
    return ' '.join([kind, *(f'{k}={json.dumps(v)}' for k, v in told(options).items())])


cases = [{'name': title(kind, options), 'optimizer': kind, 'options': told(options), 'steps': trajectory(kind, options)} for kind, options in runs]
for kind, options, second in grouped:
    name = f'{title(kind, options)}, a second group with {json.dumps(told(second))}'
    cases.append({'name': name, 'optimizer': kind, 'options': told(options), 'groups': told(second), 'steps': trajectory(kind, options, second)})

schedulers = [
    ('StepLR', {'step_size': 4, 'gamma': 0.5}),
    ('MultiStepLR', {'milestones': (3, 8), 'gamma': 0.1}),
    ('ExponentialLR', {'gamma': 0.9}),
    ('CosineAnnealingLR', {'T_max': 10, 'eta_min': 0.001}),
    ('LinearLR', {'start_factor': 0.25, 'total_iters': 5}),
    ('ConstantLR', {'factor': 0.5, 'total_iters': 4}),
    ('OneCycleLR', {'max_lr': 0.1, 'total_steps': 12}),
]
schedules = []
for kind, options in schedulers:
    optimizer = torch.optim.SGD([W.clone().requires_grad_()], lr=0.1)
    schedule = getattr(torch.optim.lr_scheduler, kind)(optimizer, **options)
    rates = []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        if len(rates) < 12:
            schedule.step()
    schedules.append({'name': kind, 'options': {('tMax' if k == 'T_max' else camel(k)): v for k, v in options.items()}, 'rates': rates})

clips = []
gradients = [tensor([3.0, -4.0]), tensor([[12.0]]), tensor([0.5, 0.25, -0.125])]
for fn, args in (
    ('clip_grad_norm_', {'max_norm': 1.0}),
    ('clip_grad_norm_', {'max_norm': 100.0}),
    ('clip_grad_norm_', {'max_norm': 2.0, 'norm_type': 1.0}),
    ('clip_grad_norm_', {'max_norm': 2.0, 'norm_type': float('inf')}),
    ('clip_grad_value_', {'clip_value': 2.0}),
):
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for p, g in zip(parameters, gradients):
        p.grad = g.clone()
    total = getattr(torch.nn.utils, fn)(parameters, **args)
    clips.append(
        {
            'name': camel(fn),
            'args': {camel(k): number(v, torch.float64) for k, v in args.items()},
            'gradients': [tensor_data(g) for g in gradients],
            'total': None if total is None else tensor_data(total),
            'clipped': [tensor_data(p.grad) for p in parameters],
        }
    )

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'optimizers.json')
with open(path, 'w') as file:

    def block(rows):
        return '[\n' + ',\n'.join(json.dumps(r, separators=(',', ':')) for r in rows) + '\n]'

    start = json.dumps({'w': tensor_data(W), 'b': tensor_data(B)}, separators=(',', ':'))
    file.write(f'{{"torch":"{VERSION}","start":{start},"cases":{block(cases)},"schedules":{block(schedules)},"clips":{block(clips)}}}\n')
print(f'optimizers.json: {len(cases)} trajectories, {len(schedules)} schedules, {len(clips)} clips, {os.path.getsize(path)} bytes')
