// The version of this package, as package.json has it: what an older or newer compiler left behind is not used.
export const version = '0.1.0';
