// Sends the message that standard input describes as JSON: { transport, message }.
const nodemailer = require(process.argv[2]);
const { transport, message } = JSON.parse(require("fs").readFileSync(0, "utf8"));
for (const file of message.attachments) file.content = Buffer.from(file.content, "base64");
nodemailer.createTransport(transport).sendMail(message).then(
  (info) => console.log(info.response),
  (error) => {
    console.error(`${error.response || error}`);
    process.exit(1);
  },
);
