// What users import for loading data.
export { type Collated, type Converted, defaultCollate, defaultConvert } from './collate.ts';
export {
  ChainDataset,
  ConcatDataset,
  Dataset,
  IterableDataset,
  type IterableStyle,
  type MapStyle,
  randomSplit,
  StackDataset,
  Subset,
  TensorDataset,
} from './dataset.ts';
export { DataLoader, type DataLoaderOptions } from './loader.ts';
export { BatchSampler, RandomSampler, type Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler } from './sampler.ts';
