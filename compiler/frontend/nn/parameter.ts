// Parameters: tensors that a module owns and an optimiser updates.
import { ArgumentError } from '../../../runtime/errors.ts';
import { isTensor } from '../pytree.ts';
import { kept, stateCopy } from '../state.ts';
import { Tensor } from '../tensor.ts';

/**
 * A tensor that counts as a parameter of the module whose property it is. Shares the storage of `data`, which is computed now;
 * a view is copied, since a parameter is stored by itself.
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, requiresGrad = true) {
    if (!isTensor(data))
      throw new ArgumentError(`expected a tensor, got ${typeof data}`, { op: 'Parameter', fix: 'write new Parameter(randn([2, 3]))' });
    super((data.via === undefined ? kept(data) : stateCopy(data)).storage);
    if (requiresGrad) this.requiresGrad_();
  }
}

/** A number that a module counts up as it runs. In state dicts it is an int64 tensor of no dimensions. */
export class Counter {
  value = 0;
}
