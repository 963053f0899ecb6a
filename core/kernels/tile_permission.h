// The system's permission to use the tile registers of AMX.
#pragma once

namespace adjoint::kernels {

// Asks for it, for all threads of the process, those that run already too; what a process has been
// given it keeps, and asking again changes nothing. False where the system refuses: one that does
// not know the question, or a process with signal stacks too small for the tiles' 8 KiB. Only for
// machines with AMX.
bool permit_tiles();

}  // namespace adjoint::kernels
