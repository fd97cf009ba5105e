export { setUpSharedStack as default } from '@weir/testkit/vitest';
