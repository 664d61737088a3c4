# Linear algebra: values and gradients that do not depend on the signs of vectors, and misuse.
import torch

from case import Cases, tensor, values

D = torch.float64
c = Cases('linalg')
L = torch.linalg
regular = values(3, 3, dtype=D, seed=1) + 3 * torch.eye(3, dtype=D)
batch = torch.stack([regular, values(3, 3, dtype=D, seed=5) + 4 * torch.eye(3, dtype=D)])
symmetric = batch + batch.mT
definite = batch @ batch.mT + torch.eye(3, dtype=D)
tall = values(2, 4, 3, dtype=D, seed=2)
wide = values(2, 3, 5, dtype=D, seed=3)
right = values(2, 3, 2, dtype=D, seed=4)


def add(fn, inputs, call, name=None, grad=True, **args):
    c.add(f'linalg.{fn}', inputs, call=call, name=name, grad=grad, args=args)


for A in (regular, batch, batch.to(torch.float32), torch.ones(1, 1, dtype=D), torch.ones(0, 0, dtype=D)):
    add('det', [A], L.det)
    add('slogdet', [A], L.slogdet)
    add('inv', [A], L.inv)
for n in (-2, 0, 1, 3):
    add('matrixPower', [batch], lambda A: L.matrix_power(A, n), n=n, grad=n != 0)
add('solve', [batch, right], L.solve)
add('solve', [regular, right], L.solve, name='solve broadcasts A')
add('solve', [regular, right[0, :, 0]], L.solve, name='solve for a vector')
add('solve', [batch, right[:, :, 0]], L.solve, name='solve for a batch of vectors')
add('solve', [batch, right.mT], lambda A, B: L.solve(A, B, left=False), left=False)
for upper in (False, True):
    add('cholesky', [definite], lambda A: L.cholesky(A, upper=upper), upper=upper)
    for unitriangular in (False, True):
        for left in (False, True):
            B = right if left else right.mT
            add('solveTriangular', [batch, B], lambda A, B: L.solve_triangular(A, B, upper=upper, left=left, unitriangular=unitriangular), upper=upper, left=left, unitriangular=unitriangular)
for A in (tall, wide, batch):
    add('qr', [A], L.qr)
    add('svdvals', [A], L.svdvals)
    add('pinv', [A], L.pinv)
    add('matrixRank', [A], L.matrix_rank, grad=False)
    for p in (None, -2):
        add('cond', [A], lambda A: L.cond(A, p), **({} if p is None else {'p': p}))
    for order in ('fro', 'nuc', 1, -1, 2, -2, float('inf'), float('-inf')):
        add('matrixNorm', [A], lambda A: L.matrix_norm(A, order), ord=order)
        add('matrixNorm', [A], lambda A: L.matrix_norm(A, order, (1, 0), True), ord=order, dim=[1, 0], keepdim=True)
add('qr', [tall], lambda A: L.qr(A, mode='complete'), grad=False, mode='complete')
for p in ('fro', 'nuc', 1, float('inf')):
    add('cond', [batch], lambda A: L.cond(A, p), grad=False, p=p)
for order in (0, 1, 2, 3.5, float('inf'), float('-inf')):
    add('vectorNorm', [tall], lambda x: L.vector_norm(x, order, dim=-1), ord=order, dim=-1)
add('eigvalsh', [symmetric], L.eigvalsh)
add('eigvalsh', [symmetric], lambda A: L.eigvalsh(A, UPLO='U'), grad=False, UPLO='U')
add('lstsqSolution', [tall, values(2, 4, 2, dtype=D, seed=6)], lambda A, B: L.lstsq(A, B).solution)
add('multiDot', [tall[0], regular, wide[0]], lambda *xs: L.multi_dot(xs))
add('multiDot', [regular[0], regular, regular[1]], lambda *xs: L.multi_dot(xs), name='multiDot with vectors')
add('cross', [batch, symmetric], L.cross)
add('pinv', [torch.tensor([[1, 2], [2, 4], [3, 6]], dtype=D)], L.pinv, grad=False, name='pinv of rank 1')
# What must be refused.
add('inv', [tensor([[1, 2], [2, 4]], D)], L.inv, name='inv of a singular matrix')
add('solve', [tensor([[1, 2], [2, 4]], D), torch.ones(2, dtype=D)], L.solve, name='solve with a singular matrix')
add('cholesky', [-definite], L.cholesky, name='cholesky of a negative matrix')
for fn, call in (('det', L.det), ('inv', L.inv), ('cholesky', L.cholesky), ('eigvalsh', L.eigvalsh)):
    add(fn, [torch.ones(2, 3)], call)
    add(fn, [torch.ones(2)], call)
    add(fn, [torch.ones(2, 2, dtype=torch.int64)], call)
add('solve', [torch.eye(2), torch.ones(3)], L.solve)
add('solve', [torch.eye(2), torch.eye(2, dtype=D)], L.solve)
add('svdvals', [torch.ones(2)], L.svdvals)
add('matrixNorm', [torch.ones(2, 2)], lambda A: L.matrix_norm(A, 3), ord=3)
add('matrixNorm', [torch.ones(2)], L.matrix_norm)
add('qr', [torch.eye(2)], lambda A: L.qr(A, mode='x'), mode='x')
add('multiDot', [torch.ones(2)], lambda *xs: L.multi_dot(xs))
add('cross', [torch.ones(2), torch.ones(2)], L.cross)
add('vectorNorm', [torch.ones(2, dtype=torch.int64)], L.vector_norm)
c.write()
