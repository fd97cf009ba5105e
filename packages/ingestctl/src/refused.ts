/** Nothing is wrong with the command line, but what it asks for is not there, or cannot be done as things are: exit status 1. */
export class Refused extends Error {
  override readonly name = 'Refused';
}
