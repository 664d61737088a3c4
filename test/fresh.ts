// Runs before each test file. Files share a process, so what the one before recorded and never looked at is settled here:
// otherwise it would be computed along with the first value that this file looks at, and counted as its own.
import { stepBoundary } from '../compiler/frontend/boundary.ts';

stepBoundary();
