// Does not let an executable run: npx ntps run --events recording.json --driver refuse.js
import { PsSetCreateProcessNotifyRoutineEx, STATUS } from 'ntps';

const REFUSED = 'mimikatz.exe';

/** PCREATE_PROCESS_NOTIFY_ROUTINE_EX: at PASSIVE_LEVEL, in the thread that creates the process. */
function onProcess(_process, processId, createInfo) {
  if (createInfo === null) return; // exit
  if (!createInfo.ImageFileName?.toLowerCase().endsWith(`\\${REFUSED}`)) return;
  createInfo.CreationStatus = STATUS.ACCESS_DENIED;
  console.log(`refuse: process ${processId} of ${createInfo.ParentProcessId}`);
}

export default {
  name: 'refuse',
  *DriverEntry() {
    return yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
  },
  *DriverUnload() {
    yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
  },
};
