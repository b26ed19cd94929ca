// A shell-like pipeline of Linux, `seq 3 | rev`, beside a Win32 process, and a driver that watches both:
//
//     npx ntps run examples/subsystem/pipeline.mjs

export default (ntps) => {
  const { PsSetCreateProcessNotifyRoutine, PsSetCreateProcessNotifyRoutineEx } = ntps;
  const { PsSetCreateProcessNotifyRoutineEx2, PsSetCreateThreadNotifyRoutineEx } = ntps;
  const { PsSetLoadImageNotifyRoutine, PSCREATEPROCESSNOTIFYTYPE } = ntps;
  const { PSCREATETHREADNOTIFYTYPE, PsGetProcessExitStatus, STATUS } = ntps;

  /** The driver: what it is told goes to `print`. */
  function watcher(print) {
    const words = (text) => (text === null ? 'NULL' : JSON.stringify(text));
    const created = (id, info) => [
      `Ex2: process ${id} of ${info.ParentProcessId} begins, IsSubsystemProcess ${info.IsSubsystemProcess}`,
      `     ImageFileName ${words(info.ImageFileName)}, CommandLine ${words(info.CommandLine)}`,
    ];
    return {
      name: 'watcher',
      *DriverEntry() {
        const { PsCreateProcessNotifySubsystems } = PSCREATEPROCESSNOTIFYTYPE;
        yield* PsSetCreateProcessNotifyRoutineEx2(
          PsCreateProcessNotifySubsystems,
          (process, id, info) => {
            if (info !== null) for (const line of created(id, info)) print(line);
            else print(`Ex2: process ${id} ends with ${PsGetProcessExitStatus(process)}`);
          },
          false,
        );
        const { PsCreateThreadNotifySubsystems } = PSCREATETHREADNOTIFYTYPE;
        yield* PsSetCreateThreadNotifyRoutineEx(
          PsCreateThreadNotifySubsystems,
          (process, id, create) => {
            if (process !== 4) print(`Subsystems: thread ${id} of ${process} ${verb(create)}`);
          },
        );
        yield* PsSetCreateProcessNotifyRoutineEx((_process, id, info) => {
          print(`Ex: process ${id} ${verb(info !== null)}`);
        }, false);
        yield* PsSetCreateProcessNotifyRoutine((_parent, id, create) => {
          print(`legacy: process ${id} ${verb(create)}`);
        }, false);
        yield* PsSetLoadImageNotifyRoutine((name, id) => {
          if (id !== 0) print(`image: ${id} loads ${name.replace(/^.*\\/, '')}`);
        });
        return STATUS.SUCCESS;
      },
    };
  }

  const verb = (create) => (create ? 'begins' : 'ends');

  /** /bin/sh -c "seq 3 | rev": two children with a pipe between them. */
  function* shell(linux) {
    const [read, write] = yield* linux.pipe();
    const run = (from, to, path, argv) =>
      function* (child) {
        yield* child.dup2(from, to);
        yield* child.close(read);
        yield* child.close(write);
        yield* child.execve(path, argv);
        return 127;
      };
    yield* linux.fork(run(write, 1, '/usr/bin/seq', ['seq', '3']));
    yield* linux.fork(run(read, 0, '/usr/bin/rev', ['rev']));
    yield* linux.close(read);
    yield* linux.close(write);
    yield* linux.wait();
    const { status } = yield* linux.wait();
    return status >> 8;
  }

  function* seq(linux, argv) {
    for (let number = 1; number <= Number(argv[1]); number++) {
      yield* linux.nanosleep(20_000_000);
      yield* linux.write(1, `line ${number}\n`);
    }
  }

  function* rev(linux) {
    for (;;) {
      const text = yield* linux.readText(0);
      if (text === '') return;
      const lines = text.trimEnd().split('\n');
      for (const line of lines) yield* linux.write(1, `${[...line].reverse().join('')}\n`);
    }
  }

  return {
    machine: { processors: 2 },
    start(machine, print) {
      const linux = new ntps.WslSubsystem(machine, {
        output: (text, pid) => print(`pid ${pid} writes ${JSON.stringify(text)}`),
      });
      linux.install('/bin/sh', shell);
      linux.install('/usr/bin/seq', seq);
      linux.install('/usr/bin/rev', rev);
      machine.loadDriver(watcher(print));
      linux.spawn('/bin/sh', { argv: ['sh', '-c', 'seq 3 | rev'] });
      // Processes of Win32 come when the system has booted: providers register before that.
      const win32 = ntps.program('notepad', (p) => p.compute(1_000_000));
      const main = machine.loadProgram(win32);
      const later = ntps.program('later', (p) => p.delay(100_000_000).hostCall(1));
      machine.onHostCall(1, () => {
        ntps.processManager(machine).createProcess({
          image: 'C:\\Windows\\System32\\notepad.exe',
          commandLine: 'notepad.exe letter.txt',
          main,
        });
        return STATUS.SUCCESS;
      });
      machine.createThread(machine.systemProcess, machine.loadProgram(later), { userMode: false });
    },
  };
};
