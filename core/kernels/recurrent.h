// Recurrent layers: the steps of one layer in one direction, and their gradients.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

enum class Cell : int32_t { rnn_tanh, rnn_relu, lstm, gru };

// Note [Recurrent layers]
// With s the products of the input with weight_ih and all biases but gru's last one, and u those of
// the state h with weight_hh, gate by gate:
//   rnn   h = tanh(s + u), or relu(s + u)
//   lstm  i, f, o = sigmoid(s + u), g = tanh(s + u);  c = f c + i g;  h = o tanh(c), or, with a
//         projection, weight_hr (o tanh(c))
//   gru   r, z = sigmoid(s + u), n = tanh(s + r (u + bias));  h = n + z (h - n)
// Gates lie one after the other: i f g o, r z n. For the backward a step keeps, in the place of s,
// the gates' values; for gru u + bias after them. The backward leaves in the same places what
// reaches s, and for gru after it what reaches u of n.
//
// Beyond its length an item keeps its state and gives zeros. Step number s is at time s, or reverse
// at steps - 1 - s: an item that is shorter then begins later, from its initial state.
//
// Row (t, b) of all that is kept is number t t_rows + b b_rows. Items of the batch are independent
// of each other, and each sum of a product is a chain of fma in order, in the blocks of Gemm: no
// division of rows or columns between threads shows in the bits, nor whether the product u is made
// here or by Gemm.

// What is kept of each step: rows of `hidden` elements, but for gates and entered (`out`), whose
// rows are gate_row and entered_row apart. What is nullptr is not kept.
struct RecurrentKept {
  void* gates;      // forward: s before, the gates after; rows may be wider than s
  void* entered;    // h before the step
  void* entered_c;  // c before the step (lstm)
  void* projected;  // o tanh(c), with a projection; zeros beyond an item's length
};

struct RecurrentLayer {
  Cell cell;
  int64_t steps, batch;
  int64_t hidden;  // elements of a gate
  int64_t out;     // elements of h: `hidden`, or what it is projected to
  int64_t gate_row, entered_row;
  int64_t t_rows, b_rows;  // see above
  bool reverse;
  const int64_t* lengths;  // (batch), or nullptr: all of `steps`
  const void* weight;      // weight_hh, element (i, j) at i weight_row + j weight_col
  int64_t weight_row, weight_col;
  const void* projection;  // weight_hr likewise, or nullptr
  int64_t projection_row, projection_col;
  RecurrentKept kept;
};

struct RecurrentForward {
  RecurrentLayer layer;
  bool keeps;             // gates for the backward
  const void* sums;       // u (batch, gates of `hidden`), for a single step; else nullptr
  const void* bias;       // gru's (hidden), or nullptr
  const void *h0, *c0;    // (batch, out), (batch, hidden), packed; nullptr for zeros
  void* y;                // `out` elements a row, or nullptr
  int64_t y_step, y_row;  // from time to time, from item to item
  void *h, *c;            // the last ones, packed; c of lstm only
};

// dy, dh, dc may be nullptr for zeros. Of the gradient of h0, `dh0` gets only what does not come
// through the gates of step 0: dgates of that step times weight_hh is left to be added.
struct RecurrentBackward {
  RecurrentLayer layer;  // whose `kept` are the forward's
  const void* dy;
  int64_t dy_step, dy_row;
  const void *dh, *dc;
  void* dgates;      // as gates; zeros beyond an item's length and the gates' elements
  void* dprojected;  // rows of `out`, the gradient of h after each step, with a projection
  void *dh0, *dc0;   // packed; dc0 of lstm only
};

struct RecurrentTable {
  void (*forward[2])(const Exec& exec, const RecurrentForward& work);  // f32, f64
  void (*backward[2])(const Exec& exec, const RecurrentBackward& work);
};

}  // namespace adjoint::kernels
