import { expect, test } from 'vitest';
import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { Machine } from '../../src/machine/machine';
import { OBJ } from '../../src/ob/attributes';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { EVENT_ACCESS, EVENT_TYPE, NtCreateEvent } from '../../src/ob/services/event';
import { PsProcessType, PsThreadType } from '../../src/ob/types';
import { inspectProcess } from '../../src/ps/inspect';
import { inspectHandles } from '../../src/ps/inspect-handles';

test('handles are told with their objects, access, flags and counts', async () => {
  const machine = await Machine.create({ profile: { handleReferences: 1 } });
  const never = machine.createEvent('notification');
  const process = machine.createProcess({ name: 'a.exe' });
  const thread = process.createThread(
    function* () {
      const named = { ObjectName: '\\BaseNamedObjects\\go', Attributes: OBJ.INHERIT };
      yield* NtCreateEvent(EVENT_ACCESS.ALL_ACCESS, named, EVENT_TYPE.NotificationEvent, false);
      const [query, kernel] = [0x1000, MODE.KernelMode];
      yield* ObOpenObjectByPointer(process, 0, null, query, PsProcessType, kernel);
      yield* ObOpenObjectByPointer(thread, OBJ.PROTECT_CLOSE, null, 1, PsThreadType, kernel);
      yield* KeWaitForSingleObject(never, KWAIT_REASON.Executive, MODE.UserMode, false, null);
    },
    { userMode: true },
  );
  machine.run();
  expect(inspectHandles(process)).toMatchObject([
    {
      handle: 4,
      type: 'Event',
      grantedAccess: 0x1f0003,
      inherit: true,
      protectFromClose: false,
      handleCount: 1,
      pointerCount: 2,
      name: '\\BaseNamedObjects\\go',
    },
    { handle: 8, type: 'Process', address: process.address, grantedAccess: 0x1000, processId: 12 },
    {
      ...{ handle: 12, type: 'Thread', address: thread.address, grantedAccess: 1 },
      ...{ inherit: false, protectFromClose: true, processId: 12, threadId: 16 },
    },
  ]);
  expect(inspectProcess(process).handleCount).toBe(3);
  expect(inspectHandles(machine.systemProcess)).toEqual([]);
});
