// Reads a model file as TypeScript: what it is made of, and where each export is declared, with its doc comment and parameters.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { CallExpression, Node, Project, SourceFile, VariableDeclaration } from 'ts-morph';
import type { Diagnostic, Place, Texts } from './diagnostic.ts';

/** A declaration as it is written. */
export type Written = Place & {
  readonly doc: string | undefined;
  /** Of the function that is declared, where it can be seen; a parameter that is taken apart has no name. */
  readonly parameters: readonly {
    readonly name: string | undefined;
    readonly type: string | undefined;
    readonly doc: string | undefined;
  }[];
};

export type Sources = {
  readonly path: string;
  /** The file and all that it imports by relative paths. */
  readonly texts: Texts;
  /** What does not parse. */
  readonly problems: readonly Diagnostic[];
  /** Where exports are declared, by name. */
  readonly written: ReadonlyMap<string, Written>;
};

/** Reads the file and follows its imports. It is parsed only: types of others are of no interest here, and a second would be gone. */
export async function readSources(path: string): Promise<Sources> {
  const { Project } = await import('ts-morph');
  const project = new Project({
    skipAddingFilesFromTsConfig: true,
    skipFileDependencyResolution: true,
    skipLoadingLibFiles: true,
    compilerOptions: { noLib: true, allowJs: true },
  });
  const texts = new Map<string, string>();
  const queue = [resolve(path)];
  for (const file of queue) {
    if (texts.has(file)) continue;
    const text = readFileSync(file, 'utf8');
    texts.set(file, text);
    for (const specifier of project.createSourceFile(file, text, { overwrite: true }).getImportStringLiterals()) {
      const found = fileBehind(specifier.getLiteralValue(), dirname(file));
      if (found !== undefined) queue.push(found);
    }
  }
  const problems = problemsOf(project);
  const written = problems.length > 0 ? new Map<string, Written>() : writtenIn(project.getSourceFileOrThrow(resolve(path)));
  return { path: resolve(path), texts, problems, written };
}

/** The file that a relative import means, as TypeScript and bundlers look for it. */
function fileBehind(specifier: string, folder: string): string | undefined {
  if (!/^\.{1,2}(\/|$)/.test(specifier)) return undefined;
  const path = resolve(folder, specifier);
  const stem = path.replace(/\.([cm]?)jsx?$/, '');
  const endings = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs'];
  const candidates = [
    path,
    ...endings.map((e) => stem + e),
    ...endings.map((e) => path + e),
    ...endings.map((e) => resolve(path, `index${e}`)),
  ];
  return candidates.find((file) => /\.[cm]?[jt]sx?$/.test(file) && existsSync(file) && statSync(file).isFile());
}

function problemsOf(project: Project): Diagnostic[] {
  const program = project.getProgram();
  return project.getSourceFiles().flatMap((file) =>
    program.getSyntacticDiagnostics(file).map((d) => {
      const { line, column } = file.getLineAndColumnAtPos(d.getStart());
      const text = d.getMessageText();
      return {
        file: file.getFilePath(),
        line,
        column,
        code: `TS${d.getCode()}`,
        message: typeof text === 'string' ? text : text.getMessageText(),
      };
    }),
  );
}

function writtenIn(file: SourceFile): Map<string, Written> {
  const written = new Map<string, Written>();
  for (const [name, [node]] of file.getExportedDeclarations()) if (node !== undefined) written.set(name, writtenAt(node));
  return written;
}

function writtenAt(node: Node): Written {
  const declaration = variableOf(node);
  const named = declaration?.getNameNode() ?? node;
  const { line, column } = named.getSourceFile().getLineAndColumnAtPos(named.getStart());
  const docs = declaration?.getVariableStatement()?.getJsDocs() ?? [];
  const doc = docs.map((d) => d.getDescription().trim()).join('\n\n');
  const call = declaration?.getInitializer();
  const tags = new Map(
    docs
      .flatMap((d) => d.getTags())
      .flatMap((tag) => {
        const [, name, text] =
          /^@param\s+(?:\{[^}]*\}\s*)?([\w$]+)\s*-?\s*([\s\S]*)$/.exec(
            tag
              .getText()
              .replaceAll(/\n\s*\*\s?/g, '\n')
              .trim(),
          ) ?? [];
        return name === undefined ? [] : [[name, text!.trim()] as const];
      }),
  );
  const parameters = parametersOf(call).map((p) => ({ ...p, doc: p.name && tags.get(p.name) }));
  return { file: named.getSourceFile().getFilePath(), line, column, doc: doc === '' ? undefined : doc, parameters };
}

/** Kinds are told by their names: ts-morph's table of numbers would have to be loaded. */
const variableOf = (node: Node): VariableDeclaration | undefined =>
  node.getKindName() === 'VariableDeclaration' ? (node as VariableDeclaration) : undefined;

/** Parameters of the function that is the first argument of a call: written there, or declared elsewhere in these files. */
function parametersOf(call: Node | undefined): { name: string | undefined; type: string | undefined }[] {
  if (call?.getKindName() !== 'CallExpression') return [];
  const [argument] = (call as CallExpression).getArguments();
  const fn = argument && functionBehind(argument);
  return (fn?.getParameters() ?? []).map((p) => ({
    name: p.getNameNode().getKindName() === 'Identifier' ? p.getName() : undefined,
    type: p.getTypeNode()?.getText(),
  }));
}

type WithParameters = import('ts-morph').ArrowFunction | import('ts-morph').FunctionDeclaration;
const functions = ['ArrowFunction', 'FunctionExpression', 'FunctionDeclaration'];

function functionBehind(node: Node): WithParameters | undefined {
  if (functions.includes(node.getKindName())) return node as WithParameters;
  const symbol = node.getSymbol();
  const [declared] = (symbol?.getAliasedSymbol() ?? symbol)?.getDeclarations() ?? [];
  const value = declared && (variableOf(declared)?.getInitializer() ?? declared);
  return value !== undefined && functions.includes(value.getKindName()) ? (value as WithParameters) : undefined;
}
