export * from './index';
export * from './shared/bugcheck';
export * from './shared/event';
export * from './shared/layout';
export * from './shared/limits';
export * from './shared/opcode';
export * from './shared/status';
export * from './shared/types';
