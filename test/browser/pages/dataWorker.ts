// A worker of a bundled program: serves the datasets that the page loads.
import { data } from 'fluxion';
import * as datasets from './datasets.ts';

data.serveDatasets(datasets);
