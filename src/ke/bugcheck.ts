import { VerifierError } from '../machine/errors';
import { explainBugCheck } from '../machine/explanations';
import { currentGuest, driverOf } from '../machine/guest';

/** Bugchecks that guests ask for. */

function bugCheck(routine: string, code: number, parameters: readonly number[]): never {
  const { machine } = currentGuest(routine);
  const who = driverOf(routine)?.name;
  machine.bugCheck(code, ...parameters);
  const [name] = explainBugCheck(code);
  throw new VerifierError(
    `${routine} was called for ${name}${who === undefined ? '' : ` by ${who}`}`,
  );
}

/** Stops the machine with a code, and does not return. @irql any @nt KeBugCheck */
export function KeBugCheck(bugCheckCode: number): never {
  return bugCheck('KeBugCheck', bugCheckCode, []);
}

/**
 * Stops the machine with a code and four parameters, and does not return. What they mean is for the
 * code to say: Windows's or the driver's own.
 *
 * @irql any   @nt KeBugCheckEx
 */
export function KeBugCheckEx(
  bugCheckCode: number,
  parameter1: number,
  parameter2: number,
  parameter3: number,
  parameter4: number,
): never {
  return bugCheck('KeBugCheckEx', bugCheckCode, [parameter1, parameter2, parameter3, parameter4]);
}
