// Whatever a caller does wrong is answered by a typed error that names the function, and never by a wrong answer.
import { describe, expect, it } from 'vitest';
import * as fx from '../../compiler/index.ts';
import { runs } from '../effort.ts';

const { F, full, tensor, zeros } = fx;
const list = (t: fx.Tensor): unknown => t.tolistSync();
const error = (f: () => unknown): fx.FluxionError => {
  try {
    f();
  } catch (e) {
    if (e instanceof fx.FluxionError && !(e instanceof fx.InternalError)) return e;
    throw e;
  }
  throw new Error('was not refused');
};

describe('options of creation', () => {
  const makers: Readonly<Record<string, (options: never) => unknown>> = {
    tensor: (o) => tensor([1], o),
    zeros: (o) => zeros([1], o),
    full: (o) => full([1], 2, o),
    arange: (o) => fx.arange(3, o),
    eye: (o) => fx.eye(3, o),
    linspace: (o) => fx.linspace(0, 1, 3, o),
    logspace: (o) => fx.logspace(0, 1, 3, o),
    randn: (o) => fx.randn([1], o),
    randint: (o) => fx.randint(0, 3, [1], o),
  };
  it.each(Object.entries(makers))('of %s that it does not have, or that are none, are refused', (op, make) => {
    expect(error(() => make({ dtpye: 'int32' } as never)).message).toMatch(
      new RegExp(`^${op}: has no option 'dtpye'; it takes dtype, requiresGrad`),
    );
    expect(error(() => make(null as never)).message).toMatch(new RegExp(`^${op}: options must be an object, but they are null`));
    expect(() => make({ dtype: 'float32' } as never)).not.toThrow();
  });
});

describe('a number that uint8 cannot hold', () => {
  it('is compared as its remainder, as PyTorch does it', () => {
    const u = tensor([1, 44, 255], { dtype: 'uint8' });
    expect([300, -1, 256].map((n) => list(u.eq(n)))).toEqual([
      [false, true, false],
      [false, false, true],
      [false, false, false],
    ]);
    expect([300, -1, 256].map((n) => list(u.lt(n)))).toEqual([
      [true, false, false],
      [true, true, false],
      [false, false, false],
    ]);
  });
});

describe('literals', () => {
  const sparse: unknown = Object.assign(new Array(3), { 0: 1, 2: 3 });
  const throwing = Object.defineProperty([1, 2], 1, {
    get: () => {
      throw new fx.ArgumentError('from a getter');
    },
  });
  let deep: unknown = 1;
  for (let i = 0; i < 70; i++) deep = [deep];
  const refused: readonly (readonly [string, unknown])[] = [
    ['ragged rows', [[1, 2], [3]]],
    ['a longer row', [[1], [2, 3]]],
    ['a number beside a row', [1, [2]]],
    ['a row beside a number', [[1], 2]],
    ['ragged below', [[[1], [2]], [[3]]]],
    ['ragged at the bottom', [[[1, 2], [3, 4]], [[5, 6], [7]]]],
    ['an empty row beside a full one', [[], [1]]],
    ['a full row beside an empty one', [[1], []]],
    ['a string', 'abc'],
    ['a number as string', '1'],
    ['an empty string', ''],
    ['a string in a row', [1, 'a']],
    ['a numeric string in a row', [1, '2']],
    ['only strings', ['1', '2']],
    ['null', null],
    ['undefined', undefined],
    ['null in a row', [1, null]],
    ['undefined in a row', [undefined]],
    ['an object', {}],
    ['an object in a row', [{}]],
    ['an object with a length', { length: 2, 0: 1, 1: 2 }],
    ['a function', () => 1],
    ['a function in a row', [() => 1]],
    ['a symbol', Symbol('s')],
    ['a symbol in a row', [Symbol('s')]],
    ['a sparse array', sparse],
    ['a sparse array below', [[1, 2, 3], sparse]],
    ['an array of holes', new Array(3)],
    ['a Map', new Map()],
    ['a Set', new Set([1])],
    ['a Date', new Date(0)],
    ['a RegExp', /a/],
    ['a boxed number', Object(1)],
    ['a boxed number in a row', [Object(1)]],
    ['a promise', Promise.resolve(1)],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a DataView', new DataView(new ArrayBuffer(4))],
    ['an Int8Array', new Int8Array(2)],
    ['a Uint16Array', new Uint16Array(2)],
    ['a Uint32Array', new Uint32Array(2)],
    ['a BigUint64Array', new BigUint64Array(2)],
    ['typed arrays in a row', [new Float32Array(2)]],
    ['a getter that throws', throwing],
    ['too deep', deep],
    ['a bigint past 64 bits', [2n ** 64n]],
    ['a bigint below 64 bits', -(2n ** 63n) - 1n],
    ['a generator', (function* () { yield 1; })()],
    ['an iterator', [1, 2].values()],
    ['an error', new Error('x')],
    ['globalThis', globalThis],
    ['a class', class {}],
    ['an object without prototype', Object.create(null)],
    ['a WeakSet', new WeakSet()],
    ['an array with a string deep inside', [[[1, 2], [3, 'x']]]],
    ['an array with null deep inside', [[[1, null]]]],
    ['NaN as string', ['NaN']],
    ['a WeakMap', new WeakMap()],
    ['a URL', new URL('http://localhost')],
    ['tensors of unequal shapes', [tensor([1]), tensor([1, 2])]],
    ['a tensor beside a number', [tensor(1), 2]],
  ]; // biome-ignore format: one a line

  it('are sixty, each of its own kind', () => {
    expect(refused.length).toBeGreaterThanOrEqual(60);
    expect(new Set(refused.map(([name]) => name)).size).toBe(refused.length);
  });

  it.each(refused)('%s is refused', (_, data) => {
    expect(error(() => tensor(data as never))).toBeInstanceOf(fx.FluxionError);
  });

  it('name the place and the user’s line', () => {
    const e = error(() => tensor([[1, 2], [3]]));
    expect(e).toBeInstanceOf(fx.ShapeError);
    expect(e.message).toMatch(
      /^tensor: expected an array of length 2 at \[1\], found length 1; make all rows equally long at misuse\.test\.ts:\d+$/,
    );
    expect(error(() => tensor([1, 'a'] as never)).message).toMatch(/^tensor: "a" at \[1\] is no number at misuse\.test\.ts:\d+$/);
  });

  it('of nothing, of one number and of one kind are fine', () => {
    for (const data of [[], [[]], [[], []], 0, true, 5n, [1n, 2n], [true, false], new Float64Array(0), [NaN, Infinity, -0]])
      expect(() => tensor(data as never).dataSync()).not.toThrow();
  });
});

describe('sizes', () => {
  it.each([[[-1]], [[2.5]], [[NaN]], [[Infinity]], [['2']], [[null]], [[undefined]], [5], ['23'], [null], [undefined], [{}], [[[2]]]])(
    'zeros(%j) is refused',
    (shape) => {
      expect(error(() => fx.zeros(shape as never))).toBeInstanceOf(fx.ShapeError);
    },
  );

  it.each([
    [[2 ** 16, 2 ** 16]],
    [[2 ** 27, 2 ** 27]],
    [[4194305, 4194305, 211106198978564]],
    [[2 ** 53]],
    [[1e308, 1e308]],
    [[2 ** 31, 2]],
  ])('zeros([%s]) is out of memory', (shape) => {
    const e = error(() => fx.zeros(shape));
    expect(e).toBeInstanceOf(fx.OutOfMemoryError);
    expect(e.message).toMatch(/^zeros: a tensor of shape \[.*\] needs .* bytes, past the limit of .* elements; use a smaller shape/);
  });

  it('past any array are refused of every creation function', () => {
    const shape = [2 ** 20, 2 ** 20];
    for (const make of [fx.ones, fx.empty, fx.rand, fx.randn]) expect(error(() => make(shape))).toBeInstanceOf(fx.OutOfMemoryError);
    expect(error(() => fx.full(shape, 1))).toBeInstanceOf(fx.OutOfMemoryError);
    expect(error(() => fx.arange(2 ** 40))).toBeInstanceOf(fx.OutOfMemoryError);
    expect(error(() => fx.eye(2 ** 20))).toBeInstanceOf(fx.OutOfMemoryError);
    expect(error(() => fx.randperm(2 ** 40))).toBeInstanceOf(fx.OutOfMemoryError);
  });
});

describe('shapes that do not fit', () => {
  const [a, c] = [fx.ones([2, 3]), fx.ones([4, 5])];
  const cube = fx.ones([2, 3, 4]);
  const labels = tensor([0n, 1n]);
  const cases: readonly (readonly [string, () => unknown])[] = [
    ...(
      ['add', 'sub', 'mul', 'div', 'pow', 'fmod', 'remainder', 'maximum', 'atan2', 'eq', 'lt', 'logicalAnd', 'hypot', 'fmax'] as const
    ).map((name) => [name, () => a[name](c)] as const),
    ...(['add_', 'sub_', 'mul_', 'div_'] as const).map((name) => [name, () => fx.ones([2, 3])[name](c)] as const),
    ['add_ that would grow', () => fx.ones([3]).add_(fx.ones([2, 3]))],
    ['matmul', () => a.matmul(c)],
    ['matmul of a number', () => a.matmul(tensor(1))],
    ['mm', () => cube.mm(a)],
    ['bmm', () => a.bmm(c)],
    ['mv', () => a.mv(fx.ones([2]))],
    ['dot', () => fx.ones([2]).dot(fx.ones([3]))],
    ['outer', () => a.outer(c)],
    ['linear', () => F.linear(a, c)],
    ['einsum', () => fx.einsum('ij,jk->ik', a, c)],
    ['cat', () => fx.cat([a, c])],
    ['stack', () => fx.stack([a, c])],
    ['reshape', () => a.reshape([4])],
    ['view', () => a.t().view([6])],
    ['expand', () => a.expand([3, 3])],
    ['where', () => fx.where(a.gt(0), a, c)],
    ['maskedFill', () => a.maskedFill(c.gt(0), 1)],
    ['gather', () => a.gather(0, fx.zeros([3, 9], { dtype: 'int64' }))],
    ['indexAdd', () => a.indexAdd(0, labels, c)],
    ['mseLoss', () => F.mseLoss(a, c)],
    ['crossEntropy', () => F.crossEntropy(a, tensor([0n, 1n, 0n]))],
    ['nllLoss', () => F.nllLoss(a, tensor([0n]))],
    ['binaryCrossEntropy', () => F.binaryCrossEntropy(a, c)],
    ['binaryCrossEntropyWithLogits', () => F.binaryCrossEntropyWithLogits(a, c)],
    ['layerNorm', () => F.layerNorm(a, [2])],
    ['groupNorm', () => F.groupNorm(a, 2)],
    ['batchNorm', () => F.batchNorm(a, fx.zeros([2]), fx.ones([2]))],
    ['conv1d', () => F.conv1d(cube, fx.ones([1, 4, 2]))],
    ['conv2d', () => F.conv2d(fx.ones([1, 1, 2, 2]), fx.ones([1, 1, 3, 3]))],
    ['maxPool2d', () => F.maxPool2d(fx.ones([1, 1, 2, 2]), 3)],
    ['embedding', () => F.embedding(labels, fx.ones([3]))],
    ['prelu', () => F.prelu(a, fx.ones([2]))],
    ['glu', () => F.glu(a)],
    ['split', () => a.split([1, 2])],
    ['scaledDotProductAttention', () => F.scaledDotProductAttention(a, c, c)],
    ['cosineSimilarity', () => F.cosineSimilarity(a, c)],
    ['lerp', () => a.lerp(c, 0.5)],
    ['addmm', () => a.addmm(a, c)],
    ['tensordot', () => fx.tensordot(a, c, 1)],
    ['cross', () => fx.cross(a, c)],
    ['grad of another shape', () => a.clone().requiresGrad_().mul(1).backward(c)],
  ];
  it.each(cases)('%s is refused when it is recorded, at the user’s line', (_, f) => {
    const e = error(f);
    expect(e).toBeInstanceOf(fx.ShapeError);
    expect(e.op).toBeTypeOf('string');
    expect(e.loc).toMatch(/^misuse\.test\.ts:\d+$/);
  });
  it('is explained with both shapes', () => {
    expect(error(() => a.matmul(c)).message).toContain('matmul: inner dimensions differ: [2,3] x [4,5] (contracting 3 with 4)');
    expect(error(() => a.add(c)).message).toContain('[2,3] and [4,5]');
  });
});

describe('dtypes that do not fit', () => {
  const [x, i, b] = [fx.ones([2, 2]), fx.ones([2, 2], { dtype: 'int64' }), fx.ones([2, 2], { dtype: 'bool' })];
  it.each<readonly [string, () => unknown]>([
    ['matmul of two', () => x.matmul(x.to('float64'))],
    ['matmul of bools', () => b.matmul(b)],
    ['mean of integers', () => i.mean()],
    ['softmax of integers', () => i.softmax(0)],
    ['subtraction of bools', () => b.sub(b)],
    ['negation of bools', () => b.neg()],
    ['bits of floats', () => x.bitwiseAnd(x)],
    ['true division into integers', () => i.clone().div_(2)],
    ['fractions into integers', () => i.clone().add_(0.5)],
    ['a negative power of integers', () => i.pow(-1)],
    ['a float mask', () => x.maskedFill(x, 0)],
    ['a float index', () => x.index(tensor([0.5]))],
    ['a float index of gather', () => x.gather(0, x)],
    ['a float index of embedding', () => F.embedding(tensor([0]), x)],
    ['float labels of another shape', () => F.nllLoss(x, x)],
    ['an unknown dtype', () => x.to('float128' as never)],
    ['dtype __proto__', () => fx.zeros([1], { dtype: '__proto__' as never })],
    ['dtype constructor', () => x.to('constructor' as never)],
    ['rand of integers', () => fx.rand([2], { dtype: 'int64' })],
    ['one-hot of floats', () => F.oneHot(tensor([0]))],
  ])('%s is refused', (_, f) => {
    expect(error(f)).toBeInstanceOf(fx.DTypeError);
  });
  it('cannot require gradients unless they are floating', () => {
    expect(error(() => fx.zeros([1], { dtype: 'int64', requiresGrad: true }))).toBeInstanceOf(fx.AutogradError);
    expect(error(() => i.requiresGrad_())).toBeInstanceOf(fx.AutogradError);
  });
});

describe('positions out of range', () => {
  const x = fx.arange(6).reshape([2, 3]).to('float32');
  it.each([-3, 2, 2 ** 31 - 1])('of a number are refused at once: %i', (at) => {
    expect(error(() => x.index(at)).message).toContain(`index ${at} is out of bounds for dimension 0 with size 2`);
    expect(error(() => x.select(0, at))).toBeInstanceOf(fx.IndexError);
  });
  const limits: readonly (readonly [string, (i: fx.Tensor) => fx.Tensor, negatives: boolean])[] = [
    ['index', (i) => x.index(i), true],
    ['indexPut_', (i) => x.clone().indexPut_([i], 0), true],
    ['gather', (i) => x.gather(0, i.reshape([1, 1])), false],
    ['indexSelect', (i) => x.indexSelect(0, i), false],
    ['scatter', (i) => x.scatter(0, i.reshape([1, 1]), 1), false],
    ['scatterAdd', (i) => x.scatterAdd(0, i.reshape([1, 1]), fx.ones([1, 1])), false],
    ['indexAdd', (i) => x.indexAdd(0, i, fx.ones([1, 3])), false],
    ['embedding', (i) => F.embedding(i, x), false],
    ['oneHot', (i) => F.oneHot(i, 2), false],
  ];
  it.each(limits)('of %s are refused when it runs, with value and limit', (_, f, negatives) => {
    for (const at of [2n, 2n ** 31n - 1n, -3n, ...(negatives ? [] : [-1n])]) {
      const e = error(() => f(tensor([at])).dataSync());
      expect(e).toBeInstanceOf(fx.IndexError);
      expect(e.message).toMatch(/index -?\d+ is out of range for a dimension of 2 elements/);
    }
    expect(() => f(tensor([1n])).dataSync()).not.toThrow();
  });
  it('among labels are refused, and leave tensors as they were', () => {
    const logits = fx.zeros([2, 3], { requiresGrad: true });
    const before = x.dataSync();
    expect(error(() => F.crossEntropy(logits, tensor([0n, 3n])).itemSync())).toBeInstanceOf(fx.IndexError);
    expect(error(() => F.nllLoss(logits, tensor([0n, -1n])).itemSync())).toBeInstanceOf(fx.IndexError);
    expect(x.dataSync()).toEqual(before);
    expect(F.crossEntropy(logits, tensor([0n, 2n])).itemSync()).toBeCloseTo(Math.log(3));
  });
  it('of dimensions are refused', () => {
    for (const f of [
      () => x.sum(2),
      () => x.softmax(-3),
      () => x.transpose(0, 2),
      () => x.squeeze(5),
      () => fx.cat([x, x], 2),
      () => x.sort(2),
    ])
      expect(error(f)).toBeInstanceOf(fx.IndexError);
  });
});

describe('a tensor where JavaScript wants a number or a string', () => {
  const one = tensor([2.5]);
  const many = tensor([1, 2]);
  it('is its element, if it has one', () => {
    expect((one as never) > 2).toBe(true);
    expect((one as never) < 2).toBe(false);
    expect(+(one as never)).toBe(2.5);
    expect(Number(tensor(3))).toBe(3);
  });
  it('is refused, and never NaN, if it has more', () => {
    expect(error(() => (many as never) > 0)).toBeInstanceOf(fx.ArgumentError);
    expect(error(() => +(many as never)).message).toContain('a tensor of shape [2] was used as a number');
    expect(error(() => Number(fx.zeros([0])))).toBeInstanceOf(fx.ArgumentError);
  });
  it('prints itself in templates, strings and JSON', () => {
    expect(`${many}`).toBe('tensor([1., 2.])');
    expect(String(one)).toBe('tensor([2.5000])');
    expect(JSON.stringify({ many })).toBe('{"many":[1,2]}');
  });
});

describe('any call with any arguments', () => {
  /** Everything but booleans that decide nothing: the pool of what callers may pass by mistake. */
  const t = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const i = tensor([
    [0n, 1n],
    [1n, 0n],
  ]);
  const pool: readonly unknown[] = [
    undefined,
    'no such folder/x',
    {},
    NaN,
    -7,
    2.5,
    [],
    [1, 'a'],
    t,
    i,
    tensor([true, false]),
    fx.zeros([0, 3]),
    tensor(3),
    1,
    () => 1,
    [9, 9],
    [t, null],
    Infinity,
    true,
  ];
  /** These do something to the whole process, or take a function. */
  const left = new Set(['compile', 'setPrintOptions', 'manualSeed', 'noGrad', 'enableGrad', 'setGradEnabled']);

  const targets: (readonly [string, (self: fx.Tensor, args: readonly unknown[]) => unknown])[] = [];
  for (const [space, exported] of [
    ['', fx],
    ['F.', F],
  ] as const)
    for (const [name, f] of Object.entries(exported))
      if (typeof f === 'function' && !/^[A-Z]/.test(name) && !left.has(name))
        targets.push([space + name, (_, args) => (f as (...a: readonly unknown[]) => unknown)(...args)]);
  for (let p: object = fx.Tensor.prototype; p !== Object.prototype; p = Object.getPrototypeOf(p) as object)
    for (const [name, d] of Object.entries(Object.getOwnPropertyDescriptors(p)))
      if (typeof d.value === 'function' && !['constructor', 'value', 'sawValue'].includes(name))
        targets.push([`Tensor.${name}`, (self, args) => (d.value as (...a: readonly unknown[]) => unknown).apply(self, [...args])]);

  it('gives a result or a FluxionError', async () => {
    expect(targets.length).toBeGreaterThan(400);
    let state = 1;
    const draw = (n: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const failures: string[] = [];
    for (const [name, call] of targets)
      for (let round = 0; round < runs(16); round++) {
        const args = Array.from({ length: draw(4) }, (_, at) => (at === 0 && round % 2 === 0 ? t : pool[draw(pool.length)]));
        try {
          const out = await call(t.clone(), args);
          for (const o of Array.isArray(out) ? out : [out]) if (o instanceof fx.Tensor && o.numel() < 1000) o.dataSync();
        } catch (e) {
          if (!(e instanceof fx.FluxionError) || e instanceof fx.InternalError)
            failures.push(
              `${name}(${args.map((v) => typeof v).join(', ')}): ${String((e as Error).stack)
                .split('\n')
                .slice(0, 3)
                .join(' ')}`,
            );
        }
      }
    expect(failures).toEqual([]);
  });
});

describe('a number that a dtype cannot hold', () => {
  it.each<readonly [fx.DTypeName, number | bigint]>([
    ['uint8', 300],
    ['uint8', -256],
    ['int32', 2 ** 31],
    ['int32', NaN],
    ['int64', NaN],
    ['int64', -Infinity],
    ['int64', 1e30],
  ])('is refused for %s: %s', (dtype, n) => {
    const x = zeros([2], { dtype });
    const all: readonly (() => unknown)[] = [
      () => tensor([1, n] as never, { dtype }),
      () => full([2], n as never, { dtype }),
      () => x.fill_(n),
      () => x.maskedFill(tensor([true, false]), n),
      () => x.indexPut_([0], n),
      () => x.indexFill(0, tensor([0n]), n),
      () => x.scatter(0, tensor([0n]), n),
    ];
    for (const f of all) expect(f).toThrow(/cannot be converted to \w+ without overflow/);
    expect(list(x)).toEqual(list(zeros([2], { dtype })));
  });

  it('is what PyTorch says: a negative uint8 wraps, fractions are cut', () => {
    expect(list(tensor([-1, 255.5], { dtype: 'uint8' }))).toEqual([255, 255]);
    expect(list(tensor([1.5, -1.5], { dtype: 'int32' }))).toEqual([1, -1]);
    expect(list(full([1], -1.5, { dtype: 'int64' }))).toEqual([-1]);
    const bool = { dtype: 'bool' } as const;
    expect([list(tensor([NaN, -0], bool)), list(full([1], NaN, bool)), list(tensor([NaN]).to('bool'))]).toEqual([
      [true, false],
      [true],
      [true],
    ]);
    expect(() => full([2], 'a' as never)).toThrow(fx.ArgumentError);
  });
});
