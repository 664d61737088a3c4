// Memory given back at once: what may still be used afterwards, and what is refused.
import { describe, expect, it } from 'vitest';
import { bufferOf } from '../../compiler/frontend/record.ts';
import { ArgumentError, AutogradError, compile, DeviceError, F, nn, noGrad, optim, randn, scope, tensor } from '../../compiler/index.ts';

const bufferBehind = (t: { storage: { value: Parameters<typeof bufferOf>[0] } }) => bufferOf(t.storage.value);

describe('dispose', () => {
  it('drops the elements, and refuses the tensor and its views from then on', () => {
    // A shape of its own: the structure of no other test, which might have learned to store the view as well.
    const x = tensor([1, 2, 3, 4, 5, 6, 7]).add(1);
    const view = x.reshape([7, 1]);
    x.dataSync();
    const buffer = bufferBehind(x)!;
    x.dispose();
    x.dispose();
    expect([buffer.host, buffer.block]).toEqual([undefined, undefined]);
    expect(() => x.add(1)).toThrow(ArgumentError);
    expect(() => view.dataSync()).toThrow('a tensor was used after it was disposed');
  });

  it('computes first what was recorded from the tensor and is held by others', () => {
    const x = tensor([1, 2, 3]);
    const y = x.mul(2);
    const z = y.add(1);
    x.dispose();
    expect(z.tolistSync()).toEqual([3, 5, 7]);
    expect(y.tolistSync()).toEqual([2, 4, 6]);
  });

  it('leaves an intermediate that nobody computed to those that are made of it', () => {
    const y = tensor([1, 2]).mul(2);
    const z = y.add(1);
    y.dispose();
    expect(z.tolistSync()).toEqual([3, 5]);
  });

  it('keeps the elements that another tensor has under another shape', () => {
    const x = tensor([1, 2, 3, 4]).add(0.5);
    x.dataSync();
    const y = x.reshape([2, 2]).clone();
    y.dataSync();
    x.dispose();
    expect(y.tolistSync()).toEqual([
      [1.5, 2.5],
      [3.5, 4.5],
    ]);
  });

  it('is told of where backward needs a value that is gone', () => {
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], { requiresGrad: true });
    const y = x.exp();
    y.dataSync();
    const loss = y.mul(y).sum();
    loss.itemSync();
    const buffer = bufferBehind(y)!;
    expect(buffer.values).toBe(1);
    y.dispose();
    expect([buffer.host, buffer.block]).toEqual([undefined, undefined]);
    loss.backward();
    expect(() => x.grad!.dataSync()).toThrow(DeviceError);
    expect(() => x.grad!.dataSync()).toThrow('whose tensor was disposed');
    expect(tensor([1]).add(1).tolistSync()).toEqual([2]);
  });

  it('is done by using at the end of the block', () => {
    let kept: ReturnType<typeof tensor>;
    {
      using x = tensor([1]).add(1);
      x.dataSync();
      kept = x;
    }
    expect(() => kept.dataSync()).toThrow('disposed');
  });

  it('lets the next run of compiled code have the memory', () => {
    const f = compile((x: ReturnType<typeof tensor>) => x.exp());
    const x = randn([64, 64]);
    for (let i = 0; i < 3; i++) f(x).dispose();
    const a = f(x);
    const block = bufferBehind(a)!.block as { range?: { address: number } } | undefined;
    const address = block?.range?.address;
    a.dispose();
    const again = bufferBehind(f(x))!.block as { range?: { address: number } } | undefined;
    expect(again?.range?.address).toBe(address);
  });

  it('does nothing within compiled functions', () => {
    const f = compile((x: ReturnType<typeof tensor>) => {
      const y = x.mul(2);
      y.dispose();
      return scope(() => x.add(1));
    });
    const x = tensor([1, 2]);
    expect([f(x).tolistSync(), f(x).tolistSync()]).toEqual([
      [2, 3],
      [2, 3],
    ]);
  });
});

describe('scope', () => {
  it('disposes what was made inside, but for what it returns', () => {
    const x = tensor([1, 2]);
    let inside = x;
    const { y, list } = scope(() => {
      inside = x.mul(3);
      inside.dataSync();
      return { y: inside.add(1), list: [x.sub(1)] };
    });
    expect([y.tolistSync(), list[0]!.tolistSync(), x.tolistSync()]).toEqual([
      [4, 7],
      [0, 1],
      [1, 2],
    ]);
    expect(() => inside.dataSync()).toThrow('disposed');
  });

  it('hands what an inner one returns to the outer one', () => {
    let inner = tensor(0);
    const outer = scope(() => {
      inner = scope(() => tensor([1]).add(1));
      return inner.mul(2);
    });
    expect(outer.tolistSync()).toEqual([4]);
    expect(() => inner.dataSync()).toThrow('disposed');
  });

  it('leaves gradients, parameters and moments alone: a step in a scope trains as one outside', () => {
    const losses = [false, true].map((isScoped) => {
      const model = noGrad(() => new nn.Linear(3, 1));
      noGrad(() => {
        model.weight.fill_(0.5);
        model.bias!.fill_(0.25);
      });
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.1 });
      const x = tensor([
        [1, 2, 3],
        [3, 2, 1],
      ]);
      const step = (): number => {
        optimizer.zeroGrad();
        const loss = F.mseLoss(model.forward(x), tensor([[1], [2]]));
        loss.backward();
        optimizer.step();
        return loss.itemSync();
      };
      return Array.from({ length: 5 }, () => (isScoped ? scope(step) : step())).concat(model.weight.grad!.sum().itemSync());
    });
    expect(losses[1]).toEqual(losses[0]);
  });

  it('is synchronous', () => {
    expect(() => scope((async () => 1) as never)).toThrow(AutogradError);
  });

  it('lets a failure through, and disposes nothing then', () => {
    let made = tensor(0);
    expect(() =>
      scope(() => {
        made = tensor([2]).add(1);
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(made.tolistSync()).toEqual([3]);
  });
});
