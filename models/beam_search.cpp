#include <adjoint/core/error.h>
#include <adjoint/models/beam_search.h>

#include <algorithm>
#include <cmath>

namespace adjoint::models {
namespace {

using data::Token;

double penalty(size_t length, double exponent) {
  return std::pow((5.0 + static_cast<double>(length)) / 6.0, exponent);
}

// A text that goes on from the text `parent`.
struct Candidate {
  double log_probability;
  int64_t parent;
  Token token;

  bool operator<(const Candidate& other) const {  // better
    if (log_probability != other.log_probability) return log_probability > other.log_probability;
    return parent != other.parent ? parent < other.parent : token < other.token;
  }
};

// The best `count` that the live texts go on with.
std::vector<Candidate> best_candidates(const std::vector<Hypothesis>& live,
                                       const std::vector<std::vector<double>>& rows, size_t count) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < live.size(); ++i) {
    for (size_t token = 0; token < rows[i].size(); ++token) {
      const double sum = live[i].log_probability + rows[i][token];
      check(!std::isnan(sum), "beam_search: a log-probability is NaN; expected numbers");
      if (std::isinf(sum)) continue;  // what cannot be
      all.push_back({sum, static_cast<int64_t>(i), static_cast<Token>(token)});
    }
  }
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(std::min(count, all.size()));
  std::partial_sort(all.begin(), middle, all.end());
  all.erase(middle, all.end());
  return all;
}

}  // namespace

void BeamSearchOptions::validate() const {
  check<ConfigError>(beam_size >= 1 && beam_size <= 4096, "beam_search: beam_size is ", beam_size,
                     "; expected a value between 1 and 4096");
  check<ConfigError>(max_length >= 1, "beam_search: max_length is ", max_length,
                     "; expected at least 1");
  check<ConfigError>(length_penalty >= 0 && std::isfinite(length_penalty),
                     "beam_search: length_penalty is ", length_penalty, "; expected 0 or more");
}

std::vector<Hypothesis> beam_search(const NextLogProbabilities& next,
                                    const BeamSearchOptions& options) {
  options.validate();
  const auto width = static_cast<size_t>(options.beam_size);
  const auto longest = static_cast<size_t>(options.max_length);
  std::vector<Hypothesis> live(1), done;
  std::vector<int64_t> parents = {0};
  std::vector<Token> last;
  const auto better = [](const Hypothesis& a, const Hypothesis& b) {
    return a.score != b.score ? a.score > b.score : a.tokens < b.tokens;
  };
  for (size_t length = 1; !live.empty(); ++length) {
    // An end for each text that lives, and twice as many leave as many that go on.
    const auto candidates = best_candidates(live, next(parents, last), 2 * width);
    std::vector<Hypothesis> longer;
    parents.clear();
    last.clear();
    for (const Candidate& c : candidates) {
      const bool ended = c.token == options.end;
      if (!ended && longer.size() == width) continue;
      Hypothesis text = live[static_cast<size_t>(c.parent)];
      text.log_probability = c.log_probability;
      text.score = c.log_probability / penalty(length, options.length_penalty);
      text.ended = ended;
      if (!ended) text.tokens.push_back(c.token);
      if (ended || length == longest) {
        done.push_back(std::move(text));
      } else {
        longer.push_back(std::move(text));
        parents.push_back(c.parent);
        last.push_back(c.token);
      }
    }
    live = std::move(longer);
    std::stable_sort(done.begin(), done.end(), better);
    if (done.size() > width) done.resize(width);
    // No text gains by going on but through the penalty of the greatest length.
    const bool full = done.size() == width;
    if (full && !live.empty() &&
        live[0].log_probability / penalty(longest, options.length_penalty) <= done.back().score) {
      break;
    }
  }
  return done;
}

}  // namespace adjoint::models
