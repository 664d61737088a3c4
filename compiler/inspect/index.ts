// Inspection as functions: what was compiled while a piece of code ran, as text and as data.
export { type DescribeOptions, describeGraphs, describePrograms, plain, type Style } from './describe.ts';
export { type Inspected, inspectedGraph, type Watch, watch } from './programs.ts';
export { type KernelReport, type ProgramReport, reportOf } from './report.ts';
export { graphAt, stages } from './stages.ts';
