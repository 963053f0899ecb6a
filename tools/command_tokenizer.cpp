// adjoint tokenizer train: a tokenizer made from texts.
#include <adjoint/core/error.h>
#include <adjoint/data/bpe.h>
#include <adjoint/data/char_tokenizer.h>
#include <adjoint/data/text_corpus.h>
#include <adjoint/data/word_tokenizer.h>
#include <adjoint/data/wordpiece.h>

#include <iostream>
#include <memory>

#include "models/train/option_table.h"
#include "tools/commands.h"

namespace adjoint::tools {
namespace {

struct Request {
  std::string type = "bpe", splitting = "gpt2";
  int64_t vocab_size = 30000, min_frequency = 2;
  std::vector<std::string> special_tokens;
};

std::unique_ptr<data::Tokenizer> train_tokenizer(const Request& request,
                                                 const std::vector<std::string>& texts) {
  if (request.type == "char") {
    std::string all;
    for (const std::string& text : texts) all += text;
    return std::make_unique<data::CharTokenizer>(data::CharTokenizer::from_text(all));
  }
  if (request.type == "word") {
    return std::make_unique<data::WordTokenizer>(data::WordTokenizer::from_texts(
        texts, {.vocab_size = request.vocab_size, .min_frequency = request.min_frequency}));
  }
  if (request.type == "wordpiece") {
    data::WordPieceOptions options;
    options.vocab_size = request.vocab_size;
    options.min_frequency = request.min_frequency;
    options.special_tokens.insert(options.special_tokens.end(), request.special_tokens.begin(),
                                  request.special_tokens.end());
    return data::train_wordpiece(texts, options);
  }
  data::BpeOptions options;
  options.vocab_size = request.vocab_size;
  options.min_frequency = request.min_frequency;
  options.special_tokens = request.special_tokens;
  if (request.splitting == "llama3") options.splitting = data::Splitting::llama3;
  return data::train_bpe(texts, options);
}

}  // namespace

int command_tokenizer(const Arguments& arguments) {
  std::string action, out;
  std::vector<std::string> paths;
  Request request;
  train::OptionTable table("adjoint tokenizer", "Makes a tokenizer from texts: tokenizer train.");
  table.positional(&action, "train", "what to do");
  table.positional(&paths, "FILE...", "texts, or folders of them");
  table.add("type", &request.type, {"bpe", "wordpiece", "word", "char"}, "what kind");
  table.add("vocab-size", &request.vocab_size, "N", "tokens at most; not for char", {.least = 1});
  table.add("min-frequency", &request.min_frequency, "N",
            "of a word, or a pair that is joined; not for char", {.least = 0});
  table.add("splitting", &request.splitting, std::vector<std::string>{"gpt2", "llama3"},
            "of bpe: where words end");
  table.add("special-tokens", &request.special_tokens, "TOKEN",
            "of bpe, and of wordpiece besides its own");
  table.add("out", &out, "FILE", "where the tokenizer goes");
  if (table.answers(arguments)) return 0;
  check<train::UsageError>(action == "train", "\"", action, "\": unknown; expected train");
  check<train::UsageError>(!out.empty(), "--out: missing; expected a file");
  check<train::UsageError>(!paths.empty(), "no texts; expected files or folders");
  std::vector<std::string> texts;
  const auto corpus = data::TextCorpus::load(paths);
  for (const data::TextFile& file : corpus.files()) texts.push_back(file.text);
  const auto tokenizer = train_tokenizer(request, texts);
  tokenizer->save(out);
  std::cerr << out << ": " << tokenizer->vocab_size() << " tokens\n";
  return 0;
}

}  // namespace adjoint::tools
