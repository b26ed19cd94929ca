; Counts the primes below r1 by division, and tells each with system call 1.
; It ends with how many there were.
TELL = 1

start:  li      r2, 2           ; the candidate
        li      r5, 0           ; primes so far
next:   bgeu    r2, r1, done
        li      r3, 2           ; the divisor
divide: mul     r4, r3, r3
        bltu    r2, r4, prime
        rem     r4, r2, r3
        beq     r4, r0, behind
        addi    r3, r3, 1
        jmp     divide
prime:  addi    r5, r5, 1
        syscall TELL, r2
behind: addi    r2, r2, 1
        jmp     next
done:   halt    r5
