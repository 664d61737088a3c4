# What PyTorch's generator draws for a seed: creation, permutations, initialisation, dropout masks, shuffling. Writes draws.json.
#
# { torch, draws }, each draw { name, seed, tensors }. `manual_seed(seed)` stands before each; `name` is the program in Fluxion's
# spelling, its results in order. Several calls in one draw use up the generator one after another.
import json
import os

import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset, random_split

from case import VERSION, tensor_data


def dropped(p, *shape):
    return torch.nn.functional.dropout(torch.ones(*shape), p)


def order(loader):
    return [batch for epoch in range(2) for (batch,) in loader]


def data(n):
    return TensorDataset(torch.arange(n))


def own(seed):
    return torch.Generator().manual_seed(seed)


programs = {
    'rand([5])': lambda: [torch.rand(5)],
    'rand([20])': lambda: [torch.rand(20)],
    'rand([4], float64)': lambda: [torch.rand(4, dtype=torch.float64)],
    'randn([1])': lambda: [torch.randn(1)],
    'randn([5])': lambda: [torch.randn(5)],
    'randn([15])': lambda: [torch.randn(15)],
    'randn([16])': lambda: [torch.randn(16)],
    'randn([5, 7])': lambda: [torch.randn(5, 7)],
    'randn([4], float64)': lambda: [torch.randn(4, dtype=torch.float64)],
    'randn([20], float64)': lambda: [torch.randn(20, dtype=torch.float64)],
    'randn([3]), randn([2]), rand([2])': lambda: [torch.randn(3), torch.randn(2), torch.rand(2)],
    'randn([17]), rand([3]), randn([16])': lambda: [torch.randn(17), torch.rand(3), torch.randn(16)],
    'randint(0, 10, [8])': lambda: [torch.randint(0, 10, (8,))],
    'randint(-5, 1000000, [8])': lambda: [torch.randint(-5, 1000000, (8,))],
    'randperm(10)': lambda: [torch.randperm(10)],
    'randperm(1), randperm(0), randperm(7)': lambda: [torch.randperm(1), torch.randperm(0), torch.randperm(7)],
    'normal(2, 3, [6])': lambda: [torch.normal(2.0, 3.0, (6,))],
    'zeros([6]).uniform_(-1, 3)': lambda: [torch.zeros(6).uniform_(-1, 3)],
    'zeros([6]).normal_(1, 2)': lambda: [torch.zeros(6).normal_(1, 2)],
    'zeros([20]).normal_(1, 2)': lambda: [torch.zeros(20).normal_(1, 2)],
    'bernoulli(full([10], 0.3))': lambda: [torch.bernoulli(torch.full((10,), 0.3))],
    'zeros([10]).bernoulli_(0.3)': lambda: [torch.zeros(10).bernoulli_(0.3)],
    'dropout(ones([12]), 0.5) of PyTorch': lambda: [dropped(0.5, 12)],
    'Linear(3, 4): weight, bias': lambda: list(torch.nn.Linear(3, 4).parameters()),
    'Linear(30, 2, bias: false): weight': lambda: list(torch.nn.Linear(30, 2, bias=False).parameters()),
    'Linear(4, 8), Linear(8, 2): all parameters': lambda: [p for p in torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Linear(8, 2)).parameters()],
    'Conv2d(2, 3, 3): weight, bias': lambda: list(torch.nn.Conv2d(2, 3, 3).parameters()),
    'Conv1d(4, 2, 3, groups: 2): weight, bias': lambda: list(torch.nn.Conv1d(4, 2, 3, groups=2).parameters()),
    'Embedding(5, 3): weight': lambda: list(torch.nn.Embedding(5, 3).parameters()),
    'kaimingUniform_(zeros([4, 3]), nonlinearity relu)': lambda: [torch.nn.init.kaiming_uniform_(torch.zeros(4, 3), nonlinearity='relu')],
    'kaimingNormal_(zeros([4, 5]), fanOut, relu)': lambda: [torch.nn.init.kaiming_normal_(torch.zeros(4, 5), mode='fan_out', nonlinearity='relu')],
    'xavierUniform_(zeros([4, 3]), gain 2)': lambda: [torch.nn.init.xavier_uniform_(torch.zeros(4, 3), gain=2)],
    'xavierNormal_(zeros([2, 3, 3]))': lambda: [torch.nn.init.xavier_normal_(torch.zeros(2, 3, 3))],
    'RandomSampler of 10': lambda: [torch.tensor(list(RandomSampler(range(10))))],
    'RandomSampler of 5 with replacement, 8 samples': lambda: [torch.tensor(list(RandomSampler(range(5), replacement=True, num_samples=8)))],
    'DataLoader of arange(10), batches of 4, shuffled, two epochs': lambda: order(DataLoader(data(10), batch_size=4, shuffle=True)),
    'DataLoader of arange(10), batches of 4, dropLast, two epochs': lambda: order(DataLoader(data(10), batch_size=4, shuffle=True, drop_last=True)),
    'DataLoader of arange(7), batches of 3, a generator of its own with seed 5, two epochs': lambda: order(DataLoader(data(7), batch_size=3, shuffle=True, generator=own(5))),
    'DataLoader of arange(3) in order, then rand([2])': lambda: order(DataLoader(data(3), batch_size=2)) + [torch.rand(2)],
    'randomSplit of 10 by [7, 3]: indices': lambda: [torch.tensor(list(part.indices)) for part in random_split(range(10), [7, 3])],
    'multinomial([0.1, 0.2, 0.7], 5 with replacement)': lambda: [torch.multinomial(torch.tensor([0.1, 0.2, 0.7]), 5, replacement=True)],
}

draws = []
for seed in (0, 1, 42):
    for name, program in programs.items():
        torch.manual_seed(seed)
        draws.append({'name': name, 'seed': seed, 'tensors': [tensor_data(t) for t in program()]})
for seed in (2**32 + 5, -1):
    torch.manual_seed(seed)
    draws.append({'name': 'rand([5])', 'seed': seed, 'tensors': [tensor_data(torch.rand(5))]})

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'draws.json')
with open(path, 'w') as file:
    lines = ',\n'.join(json.dumps(d, separators=(',', ':')) for d in draws)
    file.write(f'{{"torch":"{VERSION}","draws":[\n{lines}\n]}}\n')
print(f'draws.json: {len(draws)} draws, {os.path.getsize(path)} bytes')
