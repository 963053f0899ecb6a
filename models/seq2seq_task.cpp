#include <adjoint/core/error.h>
#include <adjoint/data/batches.h>
#include <adjoint/models/seq2seq_task.h>

#include <algorithm>

namespace adjoint::models {
namespace {

using data::SpecialToken;
using data::Token;

// Pairs a batch of an examination.
constexpr size_t kExamined = 100;

std::vector<const TokenPair*> some_of(const std::vector<TokenPair>& pairs, size_t at) {
  std::vector<const TokenPair*> some;
  for (size_t i = at; i < std::min(pairs.size(), at + kExamined); ++i) some.push_back(&pairs[i]);
  return some;
}

std::vector<Token> with_end(std::vector<Token> text, const Frame& frame) {
  text.push_back(frame.end);
  return text;
}

data::PaddedBatch padded(const std::vector<std::vector<Token>>& texts, const Frame& frame) {
  return data::pad_batch(std::vector<std::span<const Token>>(texts.begin(), texts.end()),
                         frame.pad);
}

}  // namespace

std::vector<TokenPair> encode_pairs(const std::vector<data::TextPair>& pairs,
                                    const data::Tokenizer& tokenizer, int64_t longest) {
  std::vector<TokenPair> all;
  all.reserve(pairs.size());
  const auto encode = [&](const std::string& text) {
    std::vector<Token> tokens = tokenizer.encode(text, data::text_alone());
    check<ConfigError>(!tokens.empty() && static_cast<int64_t>(tokens.size()) <= longest,
                       "pairs: a text of ", tokens.size(), " tokens, \"", text,
                       "\"; expected between 1 and ", longest);
    return tokens;
  };
  for (const data::TextPair& pair : pairs) {
    all.push_back({encode(pair.source), encode(pair.target)});
  }
  return all;
}

Frame frame_of(const data::Tokenizer& tokenizer) {
  return {.pad = data::special_token(tokenizer, SpecialToken::pad, "Seq2Seq"),
          .begin = data::special_token(tokenizer, SpecialToken::begin, "Seq2Seq"),
          .end = data::special_token(tokenizer, SpecialToken::end, "Seq2Seq")};
}

Seq2SeqTask::Seq2SeqTask(Seq2Seq& model, const data::Tokenizer& tokenizer,
                         std::vector<TokenPair> train, std::vector<TokenPair> validation,
                         std::vector<TokenPair> test, const Seq2SeqTaskOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      frame_(frame_of(tokenizer)),
      train_(std::move(train)),
      validation_(std::move(validation)),
      test_(std::move(test)),
      options_(options) {
  options_.beam.end = frame_.end;
  options_.beam.max_length = model.config().max_length;
  options_.beam.validate();
  check<ConfigError>(!train_.empty() && !validation_.empty(), "Seq2SeqTask: ", train_.size(),
                     " pairs to learn and ", validation_.size(),
                     " to be examined on; expected some of both");
}

Tensor Seq2SeqTask::loss_of(const std::vector<const TokenPair*>& pairs) const {
  std::vector<std::vector<Token>> sources, targets, following;
  for (const TokenPair* pair : pairs) {
    sources.push_back(with_end(pair->source, frame_));
    targets.push_back(pair->target);
    targets.back().insert(targets.back().begin(), frame_.begin);
    following.push_back(with_end(pair->target, frame_));
  }
  const data::PaddedBatch source = padded(sources, frame_);
  return model_.loss(source.tokens, source.padding, padded(targets, frame_).tokens,
                     padded(following, frame_).tokens, frame_.pad);
}

Tensor Seq2SeqTask::loss(int64_t step) {
  return loss_of(data::shuffled_batch(train_, step, options_.batch_size, options_.seed));
}

int64_t Seq2SeqTask::right_of(const std::vector<const TokenPair*>& pairs) const {
  std::vector<std::vector<Token>> sources;
  sources.reserve(pairs.size());
  for (const TokenPair* pair : pairs) sources.push_back(with_end(pair->source, frame_));
  const std::vector<std::vector<Token>> found = greedy_search(model_, sources, frame_);
  int64_t right = 0;
  for (size_t i = 0; i < pairs.size(); ++i) right += found[i] == pairs[i]->target ? 1 : 0;
  return right;
}

std::optional<Validation> Seq2SeqTask::validate(const std::function<bool()>& stop) {
  double loss = 0, tokens = 0;
  int64_t right = 0;
  for (size_t at = 0; at < validation_.size(); at += kExamined) {
    if (stop && stop()) return std::nullopt;
    const auto pairs = some_of(validation_, at);
    double count = 0;
    for (const TokenPair* pair : pairs) count += static_cast<double>(pair->target.size() + 1);
    loss += loss_of(pairs).item() * count;
    tokens += count;
    right += right_of(pairs);
  }
  const double share = static_cast<double>(right) / static_cast<double>(validation_.size());
  return Validation{.loss = loss / tokens, .metrics = {{"val_exact_match", share}}, .score = share};
}

std::vector<Metric> Seq2SeqTask::test() {
  if (test_.empty()) return {};
  int64_t right = 0, beam_right = 0;
  for (size_t at = 0; at < test_.size(); at += kExamined) right += right_of(some_of(test_, at));
  const size_t beams = std::min(test_.size(), static_cast<size_t>(options_.beam_pairs));
  for (size_t i = 0; i < beams; ++i) {
    const auto found =
        beam_search(model_, with_end(test_[i].source, frame_), frame_, options_.beam);
    beam_right += !found.empty() && found[0].ended && found[0].tokens == test_[i].target ? 1 : 0;
  }
  std::vector<Metric> metrics = {
      {"exact_match", static_cast<double>(right) / static_cast<double>(test_.size())}};
  if (beams > 0) {
    metrics.push_back(
        {"beam_exact_match", static_cast<double>(beam_right) / static_cast<double>(beams)});
  }
  return metrics;
}

void Seq2SeqTask::add_files(io::AtomicDirectory& folder) {
  folder.write("config.json", model_.config().to_json().dump(2) + "\n");
  folder.write("tokenizer.json", tokenizer_.to_json().dump(2) + "\n");
}

}  // namespace adjoint::models
