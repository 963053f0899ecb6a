#include "models/train/text_training.h"

#include <adjoint/models/generation.h>
#include <adjoint/models/gpt_task.h>

#include <optional>

#include "models/train/corpus.h"
#include "models/train/run_folder.h"
#include "models/train/saved_model.h"

namespace adjoint::train {
namespace {

// What a run is made of, in the order in which it is found.
struct Session {
  LearningText text;
  std::optional<data::CharTokenizer> tokenizer;
  TextProgram::Model model;
};

// A run that began with --init goes on from its own checkpoint: the other folder may be gone.
Session prepare(const TextSettings& s, const TextProgram& program,
                const std::optional<std::string>& checkpoint) {
  Session session;
  session.text = load_text(s);
  const data::TextSplit& split = session.text.split;
  Generator generator(static_cast<uint64_t>(s.seed));
  if (s.init.empty()) {
    session.tokenizer = data::CharTokenizer::from_text(split.train + split.validation);
    session.model = program.new_model(session.tokenizer->vocab_size(), generator);
    return session;
  }
  const std::string source =
      checkpoint ? *checkpoint : open_checkpoint(program.name, "--init", s.init);
  SavedModel start = load_saved_model(source);
  session.tokenizer = std::move(start.tokenizer);
  session.model = program.model_like(*start.model, source, generator);
  session.model->module().load_state_dict(start.model->module().state_dict());
  return session;
}

// Texts as tokens, long enough for the training.
struct Tokens {
  std::vector<data::Token> train, validation;
};

Tokens tokens_of(const TextSettings& s, const Session& session) {
  const data::TextSplit& split = session.text.split;
  Tokens tokens{
      session.tokenizer->encode(split.train, {.source = "--data"}),
      session.tokenizer->encode(split.validation, {.source = "the text to be examined on"})};
  const auto learnt = static_cast<int64_t>(tokens.train.size());
  check<ConfigError>(learnt > s.seq_len, "--seq-len: a context of ", s.seq_len,
                     " is longer than the text to learn, which has ", learnt,
                     " characters; expected more text, or at most --seq-len ", learnt - 1);
  check<ConfigError>(tokens.validation.size() >= 2, "--val-fraction: of the text, ",
                     tokens.validation.size(),
                     " characters are held out to be examined on; expected more text, a larger "
                     "fraction, or --val-data");
  return tokens;
}

// Everything that makes this run what it is.
Json identity(const TextSettings& s, const Session& session, const TextProgram& program) {
  Json all = identity_of(s);
  all["seq-len"] = s.seq_len;
  all["data"] = session.text.fingerprint;
  all["model"] = session.model->config_json();
  all["init"] = s.init;
  if (program.identify) program.identify(all);
  return all;
}

std::vector<std::string> description(const Session& session, const TextProgram& program) {
  const models::LanguageModel& model = *session.model;
  return {session.text.description,
          describe_parameters(model.module(), ", a vocabulary of " +
                                                  std::to_string(model.vocab_size()) +
                                                  " characters" + program.describe(model))};
}

// What samples begin with: --prompt, or where the default is not in the text, any character of it.
std::string sample_prompt(const OptionTable& table, const std::string& prompt,
                          const Session& session) {
  const bool given = table.given("prompt");
  check<UsageError>(!given || !prompt.empty(), "--prompt: empty; expected some text");
  try {
    session.tokenizer->encode(prompt, {.source = "--prompt"});
    return prompt;
  } catch (const IoError&) {
    if (given) throw;
    return session.tokenizer->decode(0);
  }
}

std::string sample_text(const TextSettings& s, const SampleSettings& samples, Session& session,
                        const std::string& prompt, int64_t step) {
  if (samples.sample_every == 0 || step % samples.sample_every != 0) return "";
  const models::GenerationOptions options{.max_tokens = samples.sample_len,
                                          .sampling = {.temperature = 0.8, .top_k = 40},
                                          .seed = static_cast<uint64_t>(s.seed + step)};
  return "--- sample after " + std::to_string(step) + " steps\n" + prompt +
         models::generate_text(*session.model, *session.tokenizer, prompt, options) + "\n---";
}

}  // namespace

int train_text(const OptionTable& table, TextSettings& s, const SampleSettings& samples,
               const Invocation& invocation, const TextProgram& program) {
  RunFolder folder(program.name, s);
  Session session = prepare(s, program, folder.checkpoint());
  const std::string prompt = sample_prompt(table, samples.prompt, session);
  Tokens tokens = tokens_of(s, session);
  models::GptTask task(
      *session.model, *session.tokenizer, std::move(tokens.train), std::move(tokens.validation),
      {.batch_size = s.batch_size, .seq_len = s.seq_len, .seed = static_cast<uint64_t>(s.seed)});
  optim::AdamW optimizer = make_optimizer(session.model->module(), s);
  return run_training(
      table, s, folder, invocation,
      {.task = task,
       .optimizer = optimizer,
       .identity = identity(s, session, program),
       .description = description(session, program),
       .sample = [&](int64_t step) { return sample_text(s, samples, session, prompt, step); }});
}

}  // namespace adjoint::train
