// Which dtype an op of several operands gives: PyTorch's promotion, asked for by itself.
import { ArgumentError } from '../../../runtime/errors.ts';
import { type DTypeName, dtypeName, elementOf } from '../dtypes.ts';
import { demandOperand, type Operand, resultType as promoted, promoteTypes as widerOf } from '../operands.ts';

/** The dtype that both promote to, as `torch.promote_types`. */
export const promoteTypes = (a: DTypeName, c: DTypeName): DTypeName =>
  dtypeName(widerOf(elementOf(a, 'promoteTypes'), elementOf(c, 'promoteTypes')));

/** The dtype that arithmetic on these operands gives, as `torch.result_type`. */
export function resultType(...operands: readonly Operand[]): DTypeName {
  if (operands.length === 0) throw new ArgumentError('at least one operand must be given', { op: 'resultType' });
  operands.forEach((o, i) => {
    demandOperand('resultType', o, i);
  });
  return dtypeName(promoted(operands));
}
