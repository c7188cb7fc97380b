/** What somebody might call a type, a key or a worker, or write into a payload or an error. */
export const NASTY = [
  "<script>window.ran = 1</script>",
  `"><img src=x onerror="window.ran = 2">`,
  "<svg/onload=window.ran=3>",
  "javascript:window.ran=4",
  "</title></style></textarea><iframe srcdoc='<script>parent.ran=5</script>'>",
  "{{constructor.constructor('window.ran=6')()}}",
  "${window.ran=7}",
  "'; window.ran=8; //",
  "&lt;b&gt;not bold&lt;/b&gt; &#x3c;script&#x3e;",
  "‮right to left‬ and ​nothing",
  "a".repeat(96),
  "🐘🐘🐘 ünïcode 漢字 العربية",
  "../../../etc/passwd?x=1#/tasks",
  "%3Cscript%3Ewindow.ran=9%3C/script%3E",
];
