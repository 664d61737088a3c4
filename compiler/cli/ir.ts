// `fluxion ir`: the graphs of a program at any stage, what a pass changed, and the same for other viewers.
import {
  anatomyOf,
  describeChanges,
  describeGraphs,
  describeNests,
  dotOf,
  drawingOf,
  graphAt,
  type Inspected,
  kernelCosts,
  mermaidOf,
  modelExplorerOf,
  nestStages,
  passesPage,
  stageAliases,
  stages,
} from '../inspect/index.ts';
import { type Invocation, UsageError } from './arguments.ts';
import { dataText, json } from './json.ts';
import { styleOf } from './style.ts';
import { reportOn } from './subject.ts';

const forms = ['text', 'json', 'dot', 'mermaid', 'model-explorer', 'html'] as const;
type Form = (typeof forms)[number];

export async function ir(invocation: Invocation): Promise<number> {
  const form = formOf(invocation);
  const { stage, isNest } = stageOf(invocation);
  const isDiff = invocation.options.has('diff');
  if (isDiff && form !== 'text') throw new UsageError(`--diff is text; --${form} shows whole graphs`);
  if (isNest && form !== 'text') throw new UsageError(`${stage} are loop nests, no graph; --${form} is for graphs`);
  const title = invocation.file.split('/').at(-1)!;
  return reportOn(invocation, (programs) => {
    const style = styleOf(process.stdout);
    if (isDiff) return joined(programs, (p) => describeChanges(p, stage, style));
    if (isNest) return joined(programs, (p) => describeNests(p, stage as (typeof nestStages)[number], style));
    return shown(form, programs, stage, title).trimEnd();
  });
}

const joined = (programs: readonly Inspected[], text: (p: Inspected) => string): string => programs.map(text).join('\n').trimEnd();

function shown(form: Form, programs: readonly Inspected[], stage: string, title: string): string {
  const drawings = () => programs.map(({ name, graph, target }) => drawingOf(graphAt(graph, target, stage), name));
  switch (form) {
    case 'text':
      return describeGraphs(programs, stage, styleOf(process.stdout));
    case 'json':
      return json(programs, stage);
    case 'dot':
      return drawings().map(dotOf).join('\n');
    case 'mermaid':
      return drawings().map(mermaidOf).join('\n');
    case 'model-explorer':
      return dataText(
        modelExplorerOf(
          title,
          drawings(),
          programs.map((p) => kernelCosts(p.program())),
        ),
      );
    case 'html':
      return passesPage(
        title,
        programs.map((p) => ({ name: p.name, stages: anatomyOf(p).stages })),
      );
    default:
      return form satisfies never;
  }
}

function formOf({ options }: Invocation): Form {
  const named = options.get('format');
  if (named !== undefined && !(forms as readonly string[]).includes(named))
    throw new UsageError(`there is no format '${named}'; use ${forms.join(', ')}`);
  const wanted = new Set(forms.filter((form) => options.has(form) || named === form));
  const [first, second] = wanted;
  if (second !== undefined) throw new UsageError(`--${first} and --${second} cannot be had at once`);
  return first ?? 'text';
}

function stageOf({ options }: Invocation): { readonly stage: string; readonly isNest: boolean } {
  const stage = options.get('stage') ?? (options.has('diff') ? 'fuse' : 'recorded');
  const isNest = (nestStages as readonly string[]).includes(stage);
  if (isNest || stages.includes(stage) || Object.hasOwn(stageAliases, stage)) return { stage, isNest };
  throw new UsageError(`there is no stage '${stage}'; use ${[...stages, ...nestStages, ...Object.keys(stageAliases)].join(', ')}`);
}
