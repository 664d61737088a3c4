// What `fluxion inspect` prints of a built model: texts that the module itself does not carry.
import { type BuildTarget, type BuiltModel, type BuiltVariant, buildTargets } from '../model.ts';

export const inspectionFormat = 'fluxion inspection 1';

export type InspectedKernel = {
  readonly name: string;
  readonly origin: readonly string[];
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly source: string;
};
export type InspectedProgram = {
  readonly target: BuildTarget;
  readonly sizes: BuiltVariant['sizes'];
  readonly arenaBytes: number;
  readonly liveBytes: number;
  readonly kernels: readonly InspectedKernel[];
  readonly graph: string;
  readonly fused: string;
  readonly unfused: readonly string[];
};
export type Inspection = {
  readonly format: typeof inspectionFormat;
  readonly name: string;
  readonly source: string;
  readonly entries: readonly {
    readonly name: string;
    readonly line: number;
    readonly column: number;
    readonly programs: readonly InspectedProgram[];
  }[];
};

export function inspection({ name, source, entries }: BuiltModel): string {
  const data: Inspection = {
    format: inspectionFormat,
    name,
    source: source.path,
    entries: entries.map(({ name, line, column, variants }) => ({
      name,
      line,
      column,
      programs: variants.flatMap(({ sizes, programs }) =>
        buildTargets.flatMap((target): InspectedProgram[] => {
          const program = programs[target]?.program;
          if (program === undefined) return [];
          const { arenaBytes, liveBytes, notes, kernels } = program;
          const { graph, fused, unfused } = notes;
          const inspected = kernels.map(({ name, origin, flops, bytesRead, bytesWritten, source }) => ({
            name,
            origin,
            flops,
            bytesRead,
            bytesWritten,
            source,
          }));
          return [{ target, sizes, arenaBytes, liveBytes, kernels: inspected, graph, fused, unfused }];
        }),
      ),
    })),
  };
  return `${JSON.stringify(data, undefined, 1)}\n`;
}
